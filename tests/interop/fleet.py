"""Starts and ends a subscriber_fleet.py, many subscribers in a process of their own."""

import json
import os
import subprocess
import sys

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "subscriber_fleet.py")
# What it may take at most: a fleet of thousands on a slow machine under a sanitizer.
DEADLINE_S = 1200


class Fleet:
    """`subscribers` are dictionaries {"name", "filter", "begin": "now" | "later"}; each reads up to `last_sequence`."""

    def __init__(self, address, subscribers, last_sequence, streams_per_connection=25):
        self._orders = {
            "address": address,
            "last_sequence": last_sequence,
            "streams_per_connection": streams_per_connection,
            "subscribers": subscribers,
        }
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(
            [sys.executable, PATH], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.process.stdin.write(json.dumps(self._orders) + "\n")
        self.process.stdin.flush()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def wait_until_started(self):
        """Waits until every stream that begins now has started."""
        line = self.process.stdout.readline()
        assert line == "started\n", f"the fleet said {line!r}"

    def finish(self):
        """Begins the others and waits for all; returns {name: [[sequence, event id], ...]}."""
        output, _ = self.process.communicate("later\n", timeout=DEADLINE_S)
        return json.loads(output or "{}")
