"""Under the asan and tsan presets: proof that the server which the other tests drive is the instrumented one."""

import os
import unittest

import webhooks
from relay import BIN, SANITIZE, Relay
from stream import event_ids

# A symbol that a program built with -fsanitize=<key> carries.
RUNTIME_SYMBOLS = {"": None, "address,undefined": b"__asan_init", "thread": b"__tsan_init"}


class SanitizerTest(unittest.TestCase):
    def test_the_server_is_built_as_the_build_tree_says_and_serves(self):
        with open(os.path.join(BIN, "refund-relay"), "rb") as file:
            program = file.read()
        for sanitize, symbol in RUNTIME_SYMBOLS.items():
            if symbol is not None:
                self.assertEqual(sanitize == SANITIZE, symbol in program, symbol)
        self.assertIn(SANITIZE, RUNTIME_SYMBOLS)
        with Relay() as relay:
            self.assertEqual(webhooks.send_many(relay, 0, 200), event_ids(relay))
            self.assertEqual(0, relay.stop())


if __name__ == "__main__":
    unittest.main()
