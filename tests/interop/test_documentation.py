"""Documents against programs: the README's table of flags and their defaults, ADR 4's recipes for an event id."""

import os
import re
import subprocess
import unittest

import grpc

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

    def test_subscribing_tells_what_to_do_about_every_reason_of_the_event_service(self):
        proto = read("proto", "refundrelay", "v1", "refund_event_service.proto")
        comments = "".join(re.findall(r"^ *//(.*)$", proto, re.MULTILINE))
        codes = {code.name for code in grpc.StatusCode}
        reasons = set(re.findall(r"\b(?:[A-Z]+(?:_[A-Z]+)+|GAP|CHECKSUM|DRAINING|UNEXPECTED|OVERLOADED)\b", comments))
        reasons -= codes | {"START_FROM_COMMITTED"}
        self.assertLess(15, len(reasons), reasons)
        table = re.findall(r"^\|[^|]*\|([^|]*)\|", read("docs", "subscribing.md"), re.MULTILINE)
        explained = set(re.findall(r"`([A-Z_]+)`", " ".join(table)))
        self.assertEqual(set(), reasons - explained)

    def test_security_names_tests_and_files_that_exist(self):
        cells = re.findall(r"^\|[^|]*\|([^|]*)\|$", read("SECURITY.md"), re.MULTILINE)
        names = re.findall(r"`([^`]+)`", " ".join(cells))
        self.assertLess(20, len(names))
        existing = set()
        for folder, _, files in os.walk(os.path.join(ROOT, "tests")):
            for file in files:
                text = read(folder, file) if file.endswith((".py", ".cc")) else ""
                suite = None
                if file.startswith("test_") and file.endswith(".py"):
                    existing.add(file.removesuffix(".py"))
                for kind, first, second in re.findall(
                    r"^ *(class|def|TEST|TEST_F|TEST_P)[ (](\w+)(?:, (\w+)\) {)?", text, re.MULTILINE
                ):
                    suite = first if kind == "class" else suite
                    existing.add(f"{suite}.{first}" if kind == "def" else f"{first}.{second}")
        missing = [n for n in names if n not in existing and not os.path.exists(os.path.join(ROOT, n))]
        self.assertEqual([], missing)

    def test_the_adr_tells_how_to_recompute_an_event_id(self):
        recipes = re.findall(r"```sh\n(.*?)```", read("docs", "adr", "0004-event-id.md"), re.DOTALL)
        self.assertEqual(2, len(recipes))
        for recipe in recipes:
            done = subprocess.run(["sh", "-c", recipe], cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE)
            self.assertEqual(webhooks.SAMPLE_EVENT_IDS[webhooks.PASS], done.stdout.strip(), done.stderr)


if __name__ == "__main__":
    unittest.main()
