"""Documents against programs: the README's table of flags and their defaults, ADR 4's recipes for an event id."""

import os
import re
import subprocess
import unittest

import webhooks
from relay import BIN, DEADLINE

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


class DocumentationTest(unittest.TestCase):
    def test_the_readme_lists_exactly_the_flags_of_the_server_with_their_defaults(self):
        done = subprocess.run(
            [os.path.join(BIN, "refund-relay"), "--help"], capture_output=True, text=True, timeout=DEADLINE
        )
        self.assertEqual(0, done.returncode, done.stderr)
        in_help = re.findall(r"^ *--([a-z0-9_]+)=(.*)$", done.stdout, re.MULTILINE)
        rows = re.findall(r"^\| `--([a-z0-9_]+)` \|([^|]*)\|", read("README.md"), re.MULTILINE)
        # A flag without a default: an empty cell, or the word that it has to be given.
        in_readme = [(name, re.sub(r"^required$", "", cell.strip()).strip("`")) for name, cell in rows]
        self.assertTrue(in_help)
        self.assertEqual(sorted(in_help), sorted(in_readme))

    def test_the_adr_tells_how_to_recompute_an_event_id(self):
        recipes = re.findall(r"```sh\n(.*?)```", read("docs", "adr", "0004-event-id.md"), re.DOTALL)
        self.assertEqual(2, len(recipes))
        for recipe in recipes:
            done = subprocess.run(["sh", "-c", recipe], cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE)
            self.assertEqual(webhooks.SAMPLE_EVENT_IDS[webhooks.PASS], done.stdout.strip(), done.stderr)


if __name__ == "__main__":
    unittest.main()
