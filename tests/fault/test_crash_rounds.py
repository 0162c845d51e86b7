"""kill -9 in the middle of load, again and again: nothing that was answered 200 is lost or doubled, sequences stay
contiguous, and a subscriber that resumes misses nothing. 20 rounds, hundreds with REFUND_RELAY_LONG=1; the seed is
printed, and REFUND_RELAY_SEED repeats it."""

import os
import random
import threading
import unittest

import grpc
from refundrelay.v1 import refund_event_service_pb2 as service

import webhooks
from load import Load
from relay import DEADLINE, Relay
from stream import EARLIEST, Stream, request, subscription

ROUNDS = 300 if os.environ.get("REFUND_RELAY_LONG") else 20
SEED = int(os.environ.get("REFUND_RELAY_SEED") or random.SystemRandom().randrange(2**32))


class Follower:
    """A subscriber that handles batches, remembers the last handled position, and resumes there after each crash."""

    def __init__(self):
        self.handled = []  # (sequence, event id)
        self.position = None
        self._thread = None
        self.failure = None

    def follow(self, relay):
        start = {"after": self.position} if self.position else {"start_from": EARLIEST}
        stream = Stream(relay.events(), request(**start))
        self._thread = threading.Thread(target=self._run, args=(stream,), daemon=True)
        self._thread.start()

    def _run(self, stream):
        try:
            while True:
                kind, message = stream.read()
                if kind == "batch":
                    self.handled.extend((d.sequence, d.event.event_id) for d in message.deliveries)
                self.position = message.position
        except grpc.RpcError as error:
            # Only the crash may end it.
            if error.code() != grpc.StatusCode.UNAVAILABLE:
                self.failure = error
        except (AssertionError, StopIteration) as error:
            self.failure = error

    def join(self):
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive(), "the stream did not end with its server"
        assert self.failure is None, self.failure


class CrashRoundsTest(unittest.TestCase):
    def test_nothing_is_lost_or_doubled(self):
        print(f"seed {SEED}, {ROUNDS} rounds: REFUND_RELAY_SEED={SEED} repeats them", flush=True)
        self.random = random.Random(SEED)
        self.answered = {}  # event id -> sequence, of every 200
        self.sent = {}  # event id -> webhook
        self.log = []  # event ids, verified so far
        self.verified = None  # the position up to which the log was verified
        self.next_number = 0
        follower = Follower()
        with Relay() as relay:
            for round_number in range(ROUNDS):
                if round_number > 0:
                    relay.start()
                with self.subTest(round=round_number):
                    self.verify(relay)
                    follower.follow(relay)
                    self.one_round(relay)
                    follower.join()
            relay.start()
            self.verify(relay)
            stored_unanswered = len(self.log) - len(self.answered)
            self.resend_everything(relay)
            self.verify(relay)
            follower.follow(relay)
            with subscription(relay, start_from=EARLIEST, stop_when_caught_up=True) as stream:
                stream.read_to_end()
            self.assertEqual(self.log, stream.event_ids())
            self.assertEqual(0, relay.stop())
            follower.join()
        self.assertEqual(list(enumerate(self.log, start=1)), follower.handled)
        print(f"{len(self.log)} events; {stored_unanswered} were stored and never answered before their crash", flush=True)

    def made(self, repeated):
        """Unique webhooks for ever, with some of an earlier round in between, as a sender's retries are."""
        while True:
            if repeated and self.random.random() < 0.2:
                yield repeated.pop()
            else:
                self.next_number += 1
                yield webhooks.webhook(self.next_number, self.random.choice(webhooks.SAMPLES))

    def one_round(self, relay):
        """Load, and SIGKILL in the middle of it."""
        repeated = [self.sent[i] for i in self.random.sample(sorted(self.sent), min(len(self.sent), 40))]
        load = Load(relay.address("http"), self.made(repeated)).start()
        load.wait_for_answers(self.random.randrange(1, 400))
        relay.kill()
        load.join()
        self.sent.update(load.sent)
        self.remember(load)

    def remember(self, load):
        for event_id, answer in load.answers.items():
            known = self.answered.setdefault(event_id, answer["sequence"])
            self.assertEqual(known, answer["sequence"], "one event, two sequences")

    def verify(self, relay):
        """Reads what came since the last time; every answer must hold against it."""
        start = {"after": self.verified} if self.verified else {"start_from": EARLIEST}
        with subscription(relay, stop_when_caught_up=True, **start) as stream:
            stream.read_to_end()
            self.verified = stream.position
        self.assertEqual(
            list(range(len(self.log) + 1, len(self.log) + 1 + len(stream.deliveries))),
            [d.sequence for d in stream.deliveries],
            "sequences are not contiguous",
        )
        self.log.extend(stream.event_ids())
        self.assertEqual(len(self.log), len(set(self.log)), "an event is in the log twice")
        for event_id, sequence in self.answered.items():
            self.assertLessEqual(sequence, len(self.log), "an answered event is lost")
            self.assertEqual(event_id, self.log[sequence - 1])
        self.assertLessEqual(set(self.log), set(self.sent) | set(self.answered))
        info = relay.events().GetLogInfo(service.GetLogInfoRequest(), timeout=DEADLINE)
        self.assertEqual(len(self.log), info.last_sequence)

    def resend_everything(self, relay):
        """The vendor's retries at last: what was never answered is stored once, everything else is a duplicate."""
        load = Load(relay.address("http"), list(self.sent.values())).start()
        load.join()
        self.assertEqual([], load.failures)
        stored = set(self.log)
        for event_id, answer in load.answers.items():
            self.assertEqual("duplicate" if event_id in stored else "accepted", answer["status"])
        self.assertEqual(set(self.sent), set(load.answers))
        self.remember(load)


if __name__ == "__main__":
    unittest.main()
