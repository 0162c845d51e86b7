"""kill -9 in the middle of load, again and again, with retention running, positions being committed and the quarantine
being filled and retried: nothing that was answered is lost or doubled, sequences stay contiguous, and a subscriber that
resumes misses nothing. 20 rounds, hundreds with REFUND_RELAY_LONG=1; the seed is printed, and REFUND_RELAY_SEED repeats
it."""

import hashlib
import http.client
import os
import random
import sqlite3
import threading
import unittest

import grpc
from refundrelay.v1 import admin_service_pb2 as admin
from refundrelay.v1 import refund_event_service_pb2 as service

import webhooks
from load import Load
from relay import DEADLINE, Relay
from stream import EARLIEST, Stream, request, subscription

ROUNDS = 300 if os.environ.get("REFUND_RELAY_LONG") else 20
SEED = int(os.environ.get("REFUND_RELAY_SEED") or random.SystemRandom().randrange(2**32))


# Retention deletes the oldest events once there are so many, more than a round brings: what is still to be verified stays.
RETAINED_EVENTS = 1000


def used_bytes(data_dir):
    """What retention counts, of a log that no server has open."""
    database = sqlite3.connect(os.path.join(data_dir, "events.db"))
    (pages,), (free,), (size,) = (
        database.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count", "page_size")
    )
    database.close()
    return (pages - free) * size


class Follower:
    """A subscriber that handles batches, remembers the last handled position, and resumes there after each crash. It also
    commits it at the server, which must never know less than it has acknowledged."""

    NAME = "follower"

    def __init__(self):
        self.handled = []  # (sequence, event id)
        self.position = None
        self._acknowledged = 0
        self._sent = 0
        self._stub = None
        self._thread = None
        self.failure = None

    def follow(self, relay):
        self._stub = relay.events()
        kept = self._stub.GetCommittedPosition(
            service.GetCommittedPositionRequest(subscriber_name=self.NAME), timeout=DEADLINE
        )
        assert self._acknowledged <= kept.position.sequence <= self._sent, (self._acknowledged, kept, self._sent)
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
                self._sent = self.position.sequence
                self._stub.CommitPosition(
                    service.CommitPositionRequest(subscriber_name=self.NAME, position=self.position), timeout=DEADLINE
                )
                self._acknowledged = self.position.sequence
        except grpc.RpcError as error:
            # Only the crash or the stop may end it. gRPC answers CANCELLED to a call that arrives between the server's
            # shutdown and the GOAWAY at its client.
            if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                self.failure = error
        except (AssertionError, StopIteration) as error:
            self.failure = error

    def join(self):
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive(), "the stream did not end with its server"
        assert self.failure is None, self.failure


class Misfits:
    """What comes beside the refunds: bodies that are none, and what an older build left in quarantine that this one can
    read. Each must be in quarantine or an event, once, whatever crashes."""

    def __init__(self):
        self.kept = {}  # quarantine id -> body, of every answer
        self.planted = {}  # event id -> body: readable, put into quarantine while no server ran
        self.next_number = 0
        self._thread = None

    def plant(self, data_dir):
        """As an older build would have left them."""
        database = sqlite3.connect(os.path.join(data_dir, "events.db"))
        with database:
            for _ in range(10):
                self.next_number += 1
                made = webhooks.webhook(10**9 + self.next_number)
                body = webhooks.encode(made)
                self.planted[webhooks.event_id(made)] = body
                database.execute(
                    "INSERT INTO quarantine (quarantine_id, body_hash, reason, detail, event_id, traceparent,"
                    " received_at, times_received, body) VALUES (?, ?, 2, 'an older build', '', '', 1, 1, ?)",
                    (f"planted-{self.next_number}", hashlib.sha256(body).digest(), body),
                )
        database.close()

    def begin(self, relay):
        self._thread = threading.Thread(target=self._run, args=(relay, relay.admin()), daemon=True)
        self._thread.start()

    def join(self):
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive(), "it did not end with its server"

    def _run(self, relay, stub):
        try:
            while True:
                self.next_number += 1
                body = b'{"no": %d' % self.next_number
                status, answer, _ = relay.post(body, webhooks.signed(body))
                assert status == 400, (status, answer)
                self.kept[answer["quarantine_id"]] = body
                stub.RetryQuarantinedWebhooks(admin.RetryQuarantinedWebhooksRequest(all=True), timeout=DEADLINE)
        except (OSError, ValueError, http.client.HTTPException, grpc.RpcError):
            pass  # the crash

    def verify(self, relay, stored):
        """`stored` are the ids of every event that ever was."""
        stub = relay.admin()
        asked = admin.ListQuarantinedWebhooksRequest(include_body=True, page_size=1000)
        found = {}
        while True:
            page = stub.ListQuarantinedWebhooks(asked, timeout=DEADLINE)
            for webhook in page.webhooks:
                assert webhook.quarantine_id not in found, "listed twice"
                found[webhook.quarantine_id] = webhook.body
            if not page.next_page_token:
                break
            asked.page_token = page.next_page_token
        for quarantine_id, body in self.kept.items():
            assert found.get(quarantine_id) == body, f"{quarantine_id} was answered and is gone"
        bodies = list(found.values())
        assert len(bodies) == len(set(bodies)), "a body is kept twice"
        for event_id, body in self.planted.items():
            assert (event_id in stored) + (body in bodies) == 1, f"{event_id} is lost, or there twice"


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
        self.misfits = Misfits()
        with Relay("--max_quarantined_webhooks=1000000") as relay:
            for round_number in range(ROUNDS):
                if round_number > 0:
                    self.misfits.plant(relay.data_dir)
                    self.set_retention(relay)
                    relay.start()
                with self.subTest(round=round_number):
                    self.verify(relay)
                    follower.follow(relay)
                    self.misfits.begin(relay)
                    self.one_round(relay)
                    follower.join()
                    self.misfits.join()
            relay.start()
            self.verify(relay)
            stored_unanswered = len(self.log) - len(self.answered)
            self.resend_everything(relay)
            self.verify(relay)
            follower.follow(relay)
            with subscription(relay, start_from=EARLIEST, stop_when_caught_up=True) as stream:
                stream.read_to_end()
            first = stream.started.position.sequence
            self.assertGreater(first, 0, "retention deleted nothing: the rounds were to run beside it")
            self.assertEqual(self.log[first:], stream.event_ids())
            self.assertEqual(0, relay.stop())
            follower.join()
        self.assertEqual(list(enumerate(self.log, start=1)), follower.handled)
        print(f"{len(self.log)} events; {stored_unanswered} were stored and never answered before their crash", flush=True)

    def set_retention(self, relay):
        """The log is to shrink by some events and then to stay as large as it is, while more come."""
        if len(self.log) > RETAINED_EVENTS:
            relay.flags = [relay.flags[0], f"--retention_bytes={used_bytes(relay.data_dir) - (100 << 10)}"]

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
        self.assertLessEqual(set(self.log), set(self.sent) | set(self.answered) | set(self.misfits.planted))
        self.misfits.verify(relay, set(self.log))
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
