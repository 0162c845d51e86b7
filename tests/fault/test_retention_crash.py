"""kill -9 while events are deleted under load, again and again: the log stays sound, nothing that is still stored is
lost, and nothing that was answered 200 is ever taken for new, deleted or not. 8 rounds, many with
REFUND_RELAY_LONG=1; the seed is printed, and REFUND_RELAY_SEED repeats it."""

import os
import random
import time
import unittest

import grpc
from refundrelay.v1 import refund_event_service_pb2 as service

import webhooks
from load import Load
from relay import DEADLINE, Relay
from stream import EARLIEST, subscription
from test_backup import run

ROUNDS = 100 if os.environ.get("REFUND_RELAY_LONG") else 8
SEED = int(os.environ.get("REFUND_RELAY_SEED") or random.SystemRandom().randrange(2**32))


class RetentionCrashTest(unittest.TestCase):
    def info(self, relay):
        return relay.events().GetLogInfo(service.GetLogInfoRequest(), timeout=DEADLINE)

    def made(self):
        while True:
            self.next_number += 1
            yield webhooks.webhook(self.next_number)

    def read_everything(self, relay):
        """From the earliest event. Retention goes on meanwhile; where it overtakes the stream, which the stream says, what
        is left is read from its new start, as docs/subscribing.md tells."""
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                with subscription(relay, start_from=EARLIEST, stop_when_caught_up=True) as stream:
                    stream.read_to_end()
                    return stream
            except grpc.RpcError as error:
                self.assertEqual(grpc.StatusCode.OUT_OF_RANGE, error.code())
                self.assertLess(time.monotonic(), deadline)

    def test_the_log_stays_sound_while_it_is_deleted(self):
        print(f"seed {SEED}, {ROUNDS} rounds: REFUND_RELAY_SEED={SEED} repeats them", flush=True)
        chance = random.Random(SEED)
        self.next_number = 0
        sent, answered = {}, {}
        first = 1
        # Pages in use decide, so there is always something to delete.
        with Relay("--retention_age=0", "--retention_bytes=600000", "--dedupe_age=24h") as relay:
            for _ in range(ROUNDS):
                load = Load(relay.address("http"), self.made()).start()
                load.wait_for_answers(chance.randrange(300, 900))
                deadline = time.monotonic() + DEADLINE
                while (now := self.info(relay).first_sequence) <= first:
                    self.assertLess(time.monotonic(), deadline, "nothing was deleted")
                first = now
                relay.kill()
                load.join()
                sent.update(load.sent)
                answered.update({i: answer["sequence"] for i, answer in load.answers.items()})

                code, out, err = run("verify", f"--data_dir={relay.data_dir}")
                self.assertEqual((0, ""), (code, err), out)
                relay.start()
                stream = self.read_everything(relay)
                begin = stream.started.position.sequence + 1
                self.assertGreaterEqual(begin, first, "what was deleted came back")
                stored = {d.event.event_id: d.sequence for d in stream.deliveries}
                self.assertEqual(list(range(begin, begin + len(stored))), sorted(stored.values()))
                still_there = {i: sequence for i, sequence in answered.items() if sequence >= begin}
                self.assertEqual(still_there, {i: stored.get(i) for i in still_there})
            for event_id in chance.sample(sorted(answered), 50):
                answer = webhooks.send(relay, sent[event_id])
                self.assertEqual(("duplicate", answered[event_id]), (answer["status"], answer["sequence"]))


if __name__ == "__main__":
    unittest.main()
