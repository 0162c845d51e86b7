"""The C++ subscriber library, as `refundctl tail --commit` uses it, is killed again and again, and its server now and then,
while webhooks arrive: no event is missed, and none is handled twice but those after the last commit. With
REFUND_RELAY_LONG=1 for 300 rounds. The seed is printed, and REFUND_RELAY_SEED repeats it."""

import json
import os
import random
import subprocess
import unittest

from refundrelay.v1 import refund_event_service_pb2 as service

import webhooks
from relay import BIN, DEADLINE, Relay

ROUNDS = 300 if os.environ.get("REFUND_RELAY_LONG") else 60
SEED = int(os.environ.get("REFUND_RELAY_SEED") or random.SystemRandom().randrange(2**32))


class KilledTailTest(unittest.TestCase):
    def test_none_is_missed_and_none_doubled_but_the_uncommitted_tail(self):
        print(f"seed {SEED}, {ROUNDS} rounds: REFUND_RELAY_SEED={SEED} repeats them", flush=True)
        self.random = random.Random(SEED)
        self.handled = 0  # every sequence up to here was printed
        self.twice = 0
        stored = 0
        commits = set()
        with Relay() as relay:
            for round_number in range(ROUNDS):
                with self.subTest(round=round_number):
                    count = self.random.randrange(5, 40)
                    webhooks.send_many(relay, stored, count)
                    stored += count
                    if self.random.randrange(10) == 0:
                        relay.kill()
                        relay.start()
                    committed = self.committed(relay)
                    commits.add(committed)
                    self.assertLessEqual(committed, self.handled, "committed past an event that was not printed")
                    self.one_life(relay, committed, self.random.randrange(1, stored - committed + 1))
            self.one_life(relay, self.committed(relay), None)
            self.assertEqual(stored, self.handled)
            self.assertEqual(stored, self.committed(relay))
        self.assertLess(ROUNDS // 3, len(commits), "the position hardly ever moved: nothing was tested")
        print(f"{stored} events, {self.twice} of them printed again after a kill", flush=True)

    def committed(self, relay):
        asked = service.GetCommittedPositionRequest(subscriber_name="ledger")
        return relay.events().GetCommittedPosition(asked, timeout=DEADLINE).position.sequence

    def one_life(self, relay, committed, lines):
        """Kills it after so many lines of output; with None it ends by itself once it has caught up."""
        command = [
            os.path.join(BIN, "refundctl"),
            "tail",
            "--address=%s:%d" % relay.address("grpc"),
            "--output=json",
            "--name=ledger",
            "--from=committed",
            "--commit",
            f"--commit-every={self.random.randrange(1, 12)}",
            *([] if lines else ["--until-caught-up"]),
        ]
        tail = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        expected = None
        seen = 0
        for line in tail.stdout:
            if not line.endswith("\n"):
                break  # cut off by the kill: not handled
            sequence = int(json.loads(line)["sequence"])
            if expected is None:
                # The commit of a life that was killed may have come after `committed` was asked for.
                self.assertLess(committed, sequence, "printed again although its commit was acknowledged")
                self.assertLessEqual(sequence, self.handled + 1, "an event was skipped")
            else:
                self.assertEqual(expected, sequence)
            expected = sequence + 1
            self.twice += sequence <= self.handled
            self.handled = max(self.handled, sequence)
            seen += 1
            if seen == lines:
                tail.kill()
        err = tail.stderr.read()
        tail.stdout.close()
        tail.stderr.close()
        code = tail.wait(DEADLINE)
        self.assertIn(code, (0,) if lines is None else (-9,), err)


if __name__ == "__main__":
    unittest.main()
