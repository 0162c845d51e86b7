"""The installed client library as another team uses it: a project of its own, built with g++, with a running server."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import webhooks
from relay import Relay

BUILD = pathlib.Path(os.environ["REFUND_RELAY_BUILD"])
HERE = pathlib.Path(__file__).resolve().parent
# For a compiler on a busy machine; nothing is timed.
DEADLINE = 500


class InstalledClientTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="refund-relay-install-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.prefix = self.folder / "prefix"
        self.position_file = self.folder / "ledger.position"

    def run_to_end(self, *command):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(0, done.returncode, f"{command}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def ledger(self, relay):
        host, port = relay.address("grpc")
        command = [self.folder / "build" / "ledger", f"{host}:{port}", self.position_file]
        return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)

    def book(self, relay):
        """The refund ids that one run of the ledger handles."""
        done = self.ledger(relay)
        self.assertEqual(0, done.returncode, done.stderr)
        return [line.split()[0] for line in done.stdout.splitlines()]

    def test_find_package_is_all_that_another_project_needs(self):
        self.run_to_end("cmake", "--install", BUILD, "--prefix", self.prefix, "--component", "client")
        readme = (HERE.parent.parent / "README.md").read_text(encoding="utf-8")
        example = self.folder / "readme.cc"
        example.write_text(re.search(r"```cpp\n(.*?)```", readme, re.DOTALL).group(1), encoding="utf-8")
        self.run_to_end(
            "cmake", "-S", HERE / "ledger", "-B", self.folder / "build", f"-DCMAKE_PREFIX_PATH={self.prefix}",
            f"-DREADME_EXAMPLE={example}",
            "-DCMAKE_CXX_COMPILER=g++", "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror",
        )  # fmt: skip
        self.run_to_end("cmake", "--build", self.folder / "build")
        headers = sorted((self.prefix / "include" / "refund_relay").iterdir())
        self.assertTrue(headers)
        for header in headers:  # each stands alone
            self.run_to_end(
                "g++", "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-x", "c++",
                "-isystem", self.prefix / "include", header,
            )  # fmt: skip
        for file in self.prefix.rglob("*.cmake"):
            self.assertNotIn(str(BUILD.parent.parent), file.read_text(encoding="utf-8"), f"{file} names the build tree")

        with Relay() as relay:
            sent = [webhooks.webhook(number) for number in range(5)]
            ids = [made["payload"]["refund"]["_id"] for made in sent]
            for made in sent[:3]:
                webhooks.send(relay, made)
            self.assertEqual(ids[:3], self.book(relay))
            self.assertEqual([], self.book(relay))
            relay.kill()
            relay.start()
            for made in sent[3:]:
                webhooks.send(relay, made)
            self.assertEqual(ids[3:], self.book(relay))

            self.position_file.write_text(self.position_file.read_text(encoding="utf-8")[:-20], encoding="utf-8")
            done = self.ledger(relay)
            self.assertEqual((1, ""), (done.returncode, done.stdout))
            self.assertIn("DATA_LOSS POSITION_FILE_DAMAGED", done.stderr)


if __name__ == "__main__":
    unittest.main()
