"""A subscriber that commits is killed and started again, two hundred times (500 with REFUND_RELAY_LONG=1), while
webhooks arrive: no event is missed, none is handled twice but those after the last commit. The seed is printed, and
REFUND_RELAY_SEED repeats it."""

import os
import random
import signal
import subprocess
import sys
import unittest

from refundrelay.v1 import refund_event_service_pb2 as service

import committing_subscriber
import webhooks
from load import Load
from relay import DEADLINE, Relay

ROUNDS = 500 if os.environ.get("REFUND_RELAY_LONG") else 200
SEED = int(os.environ.get("REFUND_RELAY_SEED") or random.SystemRandom().randrange(2**32))


class CommittingSubscriberTest(unittest.TestCase):
    def test_none_is_missed_and_none_doubled_but_the_uncommitted_tail(self):
        print(f"seed {SEED}, {ROUNDS} rounds: REFUND_RELAY_SEED={SEED} repeats them", flush=True)
        self.random = random.Random(SEED)
        self.committed = 0  # the last commit that was acknowledged
        self.maybe_committed = 0  # the last one that was sent
        self.handled = 0  # every sequence up to here was handled
        self.twice = 0
        with Relay() as relay, self.zygote() as zygote:
            load = Load(relay.address("http"), (webhooks.webhook(n) for n in range(1, 10**9)), connections=1).start()
            for round_number in range(ROUNDS):
                with self.subTest(round=round_number):
                    self.one_life(relay, zygote, self.random.randrange(1, 120))
            load.stop()
            self.assertEqual([], load.failures)
            self.one_life(relay, zygote, None, until=len(load.answers))
            last = relay.events().GetLogInfo(service.GetLogInfoRequest(), timeout=DEADLINE).last_sequence
            self.assertEqual(last, self.handled)
            zygote.stdin.close()
            self.assertEqual(0, zygote.wait(DEADLINE))
        print(f"{self.handled} events, {self.twice} of them handled again after a kill", flush=True)

    def zygote(self):
        command = [sys.executable, os.path.abspath(committing_subscriber.__file__)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def one_life(self, relay, zygote, lines, until=None):
        """Starts it, kills it after so many lines of its journal (or once it has handled `until`), checks all it did."""
        zygote.stdin.write("%s:%d " % relay.address("grpc") + f"{self.random.randrange(1, 15)}\n")
        zygote.stdin.flush()
        word, pid = zygote.stdout.readline().split()
        self.assertEqual("life", word)
        earliest, latest = self.committed + 1, self.maybe_committed + 1
        expected = None  # the sequence that must be handled next
        seen = 0
        killed = False
        for line in iter(zygote.stdout.readline, ""):
            word, *value = line.split()
            if word == "gone":
                break
            sequence = int(value[0])
            if word == "handled":
                if expected is None:
                    self.assertLessEqual(earliest, sequence, "handled again although its commit was acknowledged")
                    self.assertLessEqual(sequence, latest, "an event was skipped")
                else:
                    self.assertEqual(expected, sequence)
                expected = sequence + 1
                self.twice += sequence <= self.handled
                self.handled = max(self.handled, sequence)
            elif word == "sent":
                self.maybe_committed = max(self.maybe_committed, sequence)
            else:
                self.committed = sequence
            seen += 1
            if not killed and (seen >= lines if until is None else sequence >= until):
                os.kill(int(pid), signal.SIGKILL)
                killed = True
        self.assertTrue(killed, "it ended by itself")


if __name__ == "__main__":
    unittest.main()
