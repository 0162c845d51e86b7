"""500 subscribers at once, each with its own filter, each receives exactly its events while 10,000 webhooks arrive."""

import json
import os
import subprocess
import sys
import threading
import unittest

import webhooks
from load import Load
from relay import DEADLINE, Relay

SUBSCRIBERS = 500
WEBHOOKS = 10_000
PROCESSES = 2
CLIENTS = 500
NAMES = (*webhooks.SAMPLES, webhooks.BUNDLE)


def client(number):
    return f"client-{number % CLIENTS:03d}"


def filter_of(index):
    """A filter that no other subscriber has."""
    shapes = (
        {"client_ids": [client(index)]},
        {"client_ids": [client(index), client(index + 7)], "event_types": [1 + index % 3]},
        {"client_ids": [client(index + 1), client(index + 100), client(index + 200)]},
        {"client_ids": [client(index), client(index + 1)], "event_names": [webhooks.BUNDLE]},
        {"client_ids": [client(index), client(index + 31)], "event_types": [2], "event_names": [webhooks.PASS]},
    )
    return shapes[index % len(shapes)]


def matches(wanted, made):
    names = [NAMES[number - 1] for number in wanted.get("event_types", [])] + wanted.get("event_names", [])
    name_fits = not names or made["event"] in names
    return name_fits and made["payload"]["refund"]["clientId"] in wanted["client_ids"]


class ManySubscribersTest(unittest.TestCase):
    def test_each_receives_exactly_its_events(self):
        subscribers = [
            # A third joins in the middle of the load, and so goes from history to live.
            {"name": f"subscriber-{n}", "filter": filter_of(n), "begin": "later" if n % 3 == 2 else "now"}
            for n in range(SUBSCRIBERS)
        ]
        made = [webhooks.webhook(n, NAMES[(n // CLIENTS) % 4], client(n)) for n in range(WEBHOOKS)]
        with Relay() as relay:
            fleets = [self.begin_fleet(relay, subscribers[part::PROCESSES]) for part in range(PROCESSES)]
            for fleet in fleets:
                self.assertEqual("started\n", fleet.stdout.readline())
            load = Load(relay.address("http"), made).start()
            load.wait_for_answers(WEBHOOKS // 4)
            results = {}
            readers = [threading.Thread(target=self.finish_fleet, args=(fleet, results)) for fleet in fleets]
            for reader in readers:
                reader.start()
            load.join()
            self.assertEqual([], load.failures)
            for reader in readers:
                reader.join()
        self.assertEqual(WEBHOOKS, len(load.answers))
        for subscriber in subscribers:
            expected = sorted(
                [load.answers[event_id]["sequence"], event_id]
                for event_id in map(webhooks.event_id, (m for m in made if matches(subscriber["filter"], m)))
            )
            self.assertTrue(expected, "a filter that matches nothing would prove nothing")
            self.assertEqual(expected, results.get(subscriber["name"]), subscriber)

    def begin_fleet(self, relay, subscribers):
        fleet = subprocess.Popen(
            [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "subscriber_fleet.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.end_fleet, fleet)
        orders = {
            "address": "%s:%d" % relay.address("grpc"),
            "last_sequence": WEBHOOKS,
            "subscribers": subscribers,
        }
        fleet.stdin.write(json.dumps(orders) + "\n")
        fleet.stdin.flush()
        return fleet

    @staticmethod
    def finish_fleet(fleet, results):
        """Tells it to begin the others, and collects what all of them received."""
        output, _ = fleet.communicate("later\n", timeout=20 * DEADLINE)
        results.update(json.loads(output or "{}"))

    @staticmethod
    def end_fleet(fleet):
        if fleet.poll() is None:
            fleet.kill()
        fleet.wait()


if __name__ == "__main__":
    unittest.main()
