"""What a subscription promises: its messages in order, every start, both bounds, resuming, positions with hashes."""

import ctypes
import time
import unittest

from google.protobuf import duration_pb2
from google.protobuf import timestamp_pb2
from refundrelay.v1 import refund_event_service_pb2 as service

import webhooks
from relay import Relay
from stream import EARLIEST, LATEST, event_ids, subscription

_xxhash = ctypes.CDLL("libxxhash.so.0")
_xxhash.XXH3_64bits.restype = ctypes.c_uint64
_xxhash.XXH3_64bits.argtypes = (ctypes.c_char_p, ctypes.c_size_t)


def event_hash(event_id):
    raw = event_id.encode()
    return _xxhash.XXH3_64bits(raw, len(raw))


class EmptyLogTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.relay = cls.enterClassContext(Relay())

    def test_started_then_caught_up_at_once(self):
        for start in (EARLIEST, LATEST):
            with subscription(self.relay, start_from=start) as stream:
                kind, started = stream.read()
                self.assertEqual("started", kind)
                self.assertEqual((1, 0), (started.first_sequence, started.last_sequence))
                self.assertEqual((0, 0), (started.position.sequence, started.position.event_hash))
                self.assertTrue(started.log_id)
                self.assertEqual(started.log_id, started.position.log_id)
                self.assertTrue(started.server_instance)
                self.assertEqual(duration_pb2.Duration(seconds=1), started.heartbeat_interval)
                kind, caught_up = stream.read()
                self.assertEqual("caught_up", kind)
                self.assertEqual(started.position, caught_up.position)

    def test_heartbeat_after_the_interval(self):
        with subscription(self.relay, start_from=EARLIEST) as stream:
            stream.read_until("caught_up")
            begun = time.monotonic()
            for _ in range(2):
                kind, heartbeat = stream.read()
                self.assertEqual("heartbeat", kind)
                self.assertEqual(stream.started.last_sequence, heartbeat.last_sequence)
                self.assertTrue(heartbeat.HasField("server_time"))
            # Two intervals cannot have been shorter than they are; how much longer depends on the machine.
            self.assertGreater(time.monotonic() - begun, 1.5)

    def test_default_heartbeat_interval_is_15_seconds(self):
        with subscription(self.relay, start_from=EARLIEST, heartbeat_interval=None) as stream:
            stream.read()
            self.assertEqual(duration_pb2.Duration(seconds=15), stream.started.heartbeat_interval)

    def test_bounded_reads_of_nothing_end_at_once(self):
        self.assertEqual([], event_ids(self.relay))
        here = service.Position(log_id=self.relay.events().GetLogInfo(service.GetLogInfoRequest()).log_id)
        with subscription(self.relay, start_from=EARLIEST, until=here) as stream:
            self.assertEqual([], stream.read_to_end())


class StreamTest(unittest.TestCase):
    """Ten stored events, the even numbers of client-even, the odd ones of client-odd."""

    @classmethod
    def setUpClass(cls):
        cls.relay = cls.enterClassContext(Relay())
        cls.ids = [
            webhooks.send(cls.relay, webhooks.webhook(n, client_id=f"client-{'odd' if n % 2 else 'even'}"))["event_id"]
            for n in range(10)
        ]
        with subscription(cls.relay, start_from=EARLIEST, stop_when_caught_up=True) as stream:
            stream.read_to_end()
        cls.deliveries = stream.deliveries
        cls.log_id = stream.started.log_id

    def position(self, sequence, with_hash=True):
        known = event_hash(self.ids[sequence - 1]) if with_hash and sequence else 0
        return service.Position(log_id=self.log_id, sequence=sequence, event_hash=known)

    def test_history_comes_in_order_and_is_not_live(self):
        self.assertEqual(list(range(1, 11)), [d.sequence for d in self.deliveries])
        self.assertEqual(self.ids, [d.event.event_id for d in self.deliveries])
        times = [d.stored_at.ToNanoseconds() for d in self.deliveries]
        self.assertEqual(sorted(times), times)
        with subscription(self.relay, start_from=EARLIEST) as stream:
            _, batch = [stream.read(), stream.read()][1]
            self.assertEqual(0, batch.previous_sequence)
            self.assertEqual(self.ids, stream.read_events(10))
            self.assertEqual(self.position(10), stream.read_until("caught_up").position)

    def test_positions_carry_the_hash_of_their_event(self):
        with subscription(self.relay, start_from=EARLIEST, max_batch_events=1, stop_when_caught_up=True) as stream:
            positions = []
            try:
                while True:
                    kind, message = stream.read()
                    if kind == "batch":
                        self.assertEqual(1, len(message.deliveries))
                        positions.append(message.position)
            except StopIteration:
                pass
        self.assertEqual([self.position(n) for n in range(1, 11)], positions)

    def test_resume_after_every_position(self):
        for sequence in range(11):
            with subscription(self.relay, after=self.position(sequence), stop_when_caught_up=True) as stream:
                self.assertEqual(self.ids[sequence:], stream.read_to_end())
                self.assertEqual(self.position(sequence), stream.started.position)
                self.assertEqual((1, 10), (stream.started.first_sequence, stream.started.last_sequence))

    def test_a_position_without_hash_is_not_checked(self):
        after = self.position(4, with_hash=False)
        with subscription(self.relay, after=after, stop_when_caught_up=True) as stream:
            self.assertEqual(self.ids[4:], stream.read_to_end())
            self.assertEqual(self.position(4), stream.started.position)

    def test_until_is_inclusive(self):
        for sequence in (1, 5, 10):
            with subscription(self.relay, start_from=EARLIEST, until=self.position(sequence)) as stream:
                self.assertEqual(self.ids[:sequence], stream.read_to_end())
                self.assertEqual(self.position(sequence), stream.position)

    def test_until_before_the_start_ends_at_once(self):
        with subscription(self.relay, after=self.position(7), until=self.position(3)) as stream:
            self.assertEqual([], stream.read_to_end())

    def test_at_time_is_stored_at(self):
        for wanted in range(10):
            at = self.deliveries[wanted].stored_at
            first = next(n for n, d in enumerate(self.deliveries) if d.stored_at.ToNanoseconds() >= at.ToNanoseconds())
            with subscription(self.relay, at_time=at, stop_when_caught_up=True) as stream:
                self.assertEqual(self.ids[first:], stream.read_to_end())
        after_the_last = timestamp_pb2.Timestamp()
        after_the_last.FromNanoseconds(self.deliveries[-1].stored_at.ToNanoseconds() + 1000)
        with subscription(self.relay, at_time=after_the_last, stop_when_caught_up=True) as stream:
            self.assertEqual([], stream.read_to_end())
        with subscription(self.relay, at_time=timestamp_pb2.Timestamp(seconds=1), stop_when_caught_up=True) as stream:
            self.assertEqual(self.ids, stream.read_to_end())

    def test_filter_moves_the_position_past_what_does_not_match(self):
        with subscription(
            self.relay, start_from=EARLIEST, filter={"client_ids": ["client-even"]}, stop_when_caught_up=True
        ) as stream:
            self.assertEqual(self.ids[::2], stream.read_to_end())
            self.assertEqual(self.position(10), stream.position)

    def test_started_tells_the_normalised_filter(self):
        asked = {
            "event_types": [1, 3, 1],
            "event_names": ["refunded.pass", "refunded.zebra", "refunded.bundle", "refunded.zebra"],
            "client_ids": ["b", "a", "b"],
        }
        with subscription(self.relay, start_from=LATEST, filter=asked) as stream:
            stream.read()
            expected = service.EventFilter(
                event_types=[1, 3], event_names=["refunded.bundle", "refunded.zebra"], client_ids=["a", "b"]
            )
            self.assertEqual(expected, stream.started.filter)

    def test_omit_personal_data(self):
        made = webhooks.webhook(1)
        payload = made["payload"]
        # Nobody knows what a member that nobody knows says of a person.
        for level in (made, payload, payload["refund"], payload["user"], payload["user"]["address"],
                      payload["user"]["location"], made["client_info"]):
            level["nobodyKnowsIt"] = "a secret of the buyer's"
        with Relay() as relay:
            webhooks.send(relay, made)
            with subscription(relay, start_from=EARLIEST, stop_when_caught_up=True) as stream:
                stream.read_to_end()
            whole = stream.deliveries[0].event
            self.assertEqual(3 + 3 + 1, str(whole).count("nobodyKnowsIt"))
            self.assertTrue(whole.extra_fields and whole.user.extra_fields and whole.client_info.extra_fields)
            self.assertTrue(whole.webhook_sha256)
            with subscription(relay, start_from=EARLIEST, stop_when_caught_up=True, omit_personal_data=True) as stream:
                self.assertEqual([whole.event_id], stream.read_to_end())
            event = stream.deliveries[0].event
        self.assertFalse(event.HasField("user"))
        self.assertFalse(event.HasField("client_info"))
        self.assertEqual(b"", event.webhook_sha256)
        self.assertEqual(0, len(event.extra_fields))
        self.assertNotIn("nobodyKnowsIt", str(event))
        # All the rest is there.
        for field in ("user", "client_info", "webhook_sha256", "extra_fields"):
            whole.ClearField(field)
        self.assertEqual(whole, event)


class LiveTest(unittest.TestCase):
    def test_latest_gets_only_what_comes_then(self):
        with Relay() as relay:
            webhooks.send(relay, webhooks.webhook(1))
            with subscription(relay, start_from=LATEST) as stream:
                stream.read_until("caught_up")
                self.assertEqual(1, stream.started.position.sequence)
                later = webhooks.send(relay, webhooks.webhook(2))["event_id"]
                self.assertEqual([later], stream.read_events(1))
                self.assertEqual(2, stream.deliveries[0].sequence)

    def test_live_batches_say_so_and_chain(self):
        with Relay() as relay, subscription(relay, start_from=EARLIEST) as stream:
            stream.read_until("caught_up")
            for number in range(3):
                sent = webhooks.send(relay, webhooks.webhook(number))
                batch = stream.read_until("batch")
                self.assertTrue(batch.live)
                self.assertEqual(number, batch.previous_sequence)
                self.assertEqual(sent["sequence"], batch.deliveries[0].sequence)
                self.assertEqual(event_hash(sent["event_id"]), batch.position.event_hash)

    def test_heartbeats_move_past_what_does_not_match(self):
        with Relay() as relay:
            with subscription(relay, start_from=EARLIEST, filter={"client_ids": ["nobody"]}) as stream:
                stream.read_until("caught_up")
                sent = webhooks.send(relay, webhooks.webhook(1))
                while stream.position.sequence < 1:
                    kind, message = stream.read()
                    self.assertEqual("heartbeat", kind)
                self.assertEqual(event_hash(sent["event_id"]), message.position.event_hash)
                self.assertEqual(1, message.last_sequence)

    def test_resume_across_a_restart(self):
        with Relay() as relay:
            first = webhooks.send_many(relay, 0, 5)
            with subscription(relay, start_from=EARLIEST) as stream:
                stream.read_events(5)
                position, log_id = stream.position, stream.started.log_id
            self.assertEqual(0, relay.stop())
            relay.start()
            second = webhooks.send_many(relay, 5, 5)
            with subscription(relay, after=position) as stream:
                self.assertEqual(second, stream.read_events(5))
                self.assertEqual(log_id, stream.started.log_id)
            self.assertEqual(first + second, event_ids(relay))

    def test_batches_keep_to_their_bounds(self):
        with Relay() as relay:
            ids = webhooks.send_many(relay, 0, 50)
            with subscription(relay, start_from=EARLIEST, max_batch_events=7, stop_when_caught_up=True) as stream:
                while stream.position is None or stream.position.sequence < 50:
                    kind, message = stream.read()
                    if kind == "batch":
                        self.assertLessEqual(len(message.deliveries), 7)
                self.assertEqual(ids, stream.event_ids())
            # One event is larger than this: each goes alone.
            with subscription(relay, start_from=EARLIEST, max_batch_bytes=64, stop_when_caught_up=True) as stream:
                while stream.position is None or stream.position.sequence < 50:
                    kind, message = stream.read()
                    if kind == "batch":
                        self.assertEqual(1, len(message.deliveries))
                self.assertEqual(ids, stream.event_ids())


if __name__ == "__main__":
    unittest.main()
