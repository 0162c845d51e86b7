"""Subscribers that do not read cost the server no memory: what they have not taken stays in the log."""

import threading
import time
import unittest

import grpc
from refundrelay.v1 import admin_service_pb2 as admin
from refundrelay.v1 import refund_event_service_pb2_grpc

import webhooks
from load import Load
from relay import DEADLINE, LITTLE_QUARANTINE, Relay
from stream import LATEST, Stream, request

READERS = 12
WEBHOOKS = 1000
BODY_BYTES = 60_000
BYTES_FOR_EACH = WEBHOOKS * BODY_BYTES
# Would the server keep what they have not read, it would hold READERS * BYTES_FOR_EACH; half of that is far more than
# it needs for everything else, also under a sanitizer.
MOST_GROWTH_BYTES = READERS * BYTES_FOR_EACH // 2


def large_webhook(number):
    made = webhooks.webhook(number)
    made["payload"]["refund"]["note"] = "x" * BODY_BYTES
    return made


def memory(relay, field):
    """A line of the process's status, in bytes."""
    with open(f"/proc/{relay.process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field + ":"))


class SlowSubscribersTest(unittest.TestCase):
    def subscribe(self, relay, number):
        # What the client takes in before it reads is little, and always the same.
        channel = grpc.insecure_channel(
            "%s:%d" % relay.address("grpc"),
            options=[
                ("grpc.use_local_subchannel_pool", 1),
                ("grpc.http2.bdp_probe", 0),
                ("grpc.http2.lookahead_bytes", 65536),
            ],
        )
        self.addCleanup(channel.close)
        stub = refund_event_service_pb2_grpc.RefundEventServiceStub(channel)
        stream = Stream(stub, request(subscriber_name=f"slow-{number}", start_from=LATEST), timeout=20 * DEADLINE)
        stream.read_until("caught_up")
        return stream

    def wait_until_all_are_slow(self, relay):
        stub = relay.admin()
        end = time.monotonic() + DEADLINE
        while True:
            listed = list(stub.ListSubscribers(admin.ListSubscribersRequest(), timeout=DEADLINE).subscribers)
            if all(subscriber.state == admin.SUBSCRIBER_STATE_SLOW for subscriber in listed):
                return listed
            self.assertLess(time.monotonic(), end, listed)

    def test_memory_stays_constant_and_nothing_is_missed(self):
        made = [large_webhook(number) for number in range(WEBHOOKS)]
        with Relay(
            "--live_window_bytes=1048576", "--write_stall_timeout=1h", environment=LITTLE_QUARANTINE
        ) as relay:
            streams = [self.subscribe(relay, number) for number in range(READERS)]
            before = memory(relay, "VmRSS")
            load = Load(relay.address("http"), made).start()
            load.join()
            self.assertEqual([], load.failures)
            listed = self.wait_until_all_are_slow(relay)
            self.assertEqual(READERS, len(listed))
            for subscriber in listed:
                self.assertGreater(subscriber.lag_events, WEBHOOKS // 2)
                self.assertIn("has not taken the last message since", subscriber.state_detail)
            growth = memory(relay, "VmHWM") - before
            print(f"memory grew by {growth >> 20} MiB while {READERS} peers left {BYTES_FOR_EACH >> 20} MiB each unread")
            self.assertLess(growth, MOST_GROWTH_BYTES)

            in_order = [answer["event_id"] for answer in sorted(load.answers.values(), key=lambda a: a["sequence"])]
            received = []

            def read_all(stream):
                kinds, ids = set(), []
                while len(ids) < WEBHOOKS:
                    kinds.add(stream.read()[0])
                    ids.extend(stream.event_ids())
                    stream.deliveries.clear()
                stream.cancel()
                received.append((ids, "fell_behind" in kinds))

            threads = [threading.Thread(target=read_all, args=(stream,)) for stream in streams]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(READERS, len(received))
            for ids, fell_behind in received:
                self.assertEqual(in_order, ids)
                self.assertTrue(fell_behind)


if __name__ == "__main__":
    unittest.main()
