"""What the documents promise is what the programs have: the settings in the README, the commands in ./dev help."""

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
    def test_the_readme_lists_exactly_the_flags_of_the_server(self):
        done = subprocess.run(
            [os.path.join(BIN, "refund-relay"), "--help"], capture_output=True, text=True, timeout=DEADLINE
        )
        self.assertEqual(0, done.returncode, done.stderr)
        in_help = set(re.findall(r"^\s*--([a-z0-9_]+)", done.stdout, re.MULTILINE)) - {"help", "version"}
        in_readme = re.findall(r"^\| `--([a-z0-9_]+)` \|", read("README.md"), re.MULTILINE)
        self.assertTrue(in_help)
        self.assertEqual(in_help, set(in_readme))
        self.assertEqual(len(set(in_readme)), len(in_readme))

    def test_the_adr_tells_how_to_recompute_an_event_id(self):
        recipes = re.findall(r"```sh\n(.*?)```", read("docs", "adr", "0004-event-id.md"), re.DOTALL)
        self.assertEqual(2, len(recipes))
        for recipe in recipes:
            done = subprocess.run(["sh", "-c", recipe], cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE)
            self.assertEqual(webhooks.SAMPLE_EVENT_IDS[webhooks.PASS], done.stdout.strip(), done.stderr)


if __name__ == "__main__":
    unittest.main()
