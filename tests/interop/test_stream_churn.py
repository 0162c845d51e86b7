"""Streams opened and dropped in a loop leave nothing behind: no stream, no file descriptor, no memory."""

import time
import unittest

import grpc
from refundrelay.v1 import admin_service_pb2 as admin
from refundrelay.v1 import refund_event_service_pb2_grpc

import webhooks
from relay import DEADLINE, LITTLE_QUARANTINE, Relay
from stream import EARLIEST, LATEST, Stream, request
from test_admin_http import metric

STREAMS_PER_CONNECTION = 8
WARM_UP_CONNECTIONS = 50
CONNECTIONS = 500  # 4000 streams
# An object that is left behind for each stream would be a multiple of it: a stream alone takes more than 16 KiB.
MOST_GROWTH_BYTES = CONNECTIONS * STREAMS_PER_CONNECTION * 8192
# Opened lazily and kept: connections to the database, queues.
MOST_NEW_DESCRIPTORS = 32


def open_and_drop(relay):
    """One connection with a stream dropped at each moment of its life, then the connection itself."""
    channel = grpc.insecure_channel(
        "%s:%d" % relay.address("grpc"), options=[("grpc.use_local_subchannel_pool", 1)]
    )
    stub = refund_event_service_pb2_grpc.RefundEventServiceStub(channel)
    streams = [
        Stream(stub, request(subscriber_name=f"churn-{n}", start_from=LATEST if n % 2 else EARLIEST))
        for n in range(STREAMS_PER_CONNECTION - 2)
    ]
    streams.append(Stream(stub, request(subscriber_name="churn-bounded", start_from=EARLIEST, stop_when_caught_up=True)))
    streams[0].read()
    streams[1].read_until("caught_up")
    streams[2].read_events(1)
    streams[-1].read_to_end()
    try:
        next(stub.Subscribe(request(subscriber_name="churn-refused"), timeout=DEADLINE))
        raise AssertionError("a request without a start was not refused")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
    for stream in streams[::2]:
        stream.cancel()
    channel.close()  # ends the rest


class StreamChurnTest(unittest.TestCase):
    def metrics(self, relay):
        return relay.admin_get("/metrics")[2]

    def wait_until_gone(self, relay, most_descriptors):
        end = time.monotonic() + DEADLINE
        while True:
            text = self.metrics(relay)
            streams = metric(text, "refund_relay_subscriber_streams")
            descriptors = metric(text, "process_open_fds")
            if streams == 0 and descriptors <= most_descriptors:
                return text
            self.assertLess(time.monotonic(), end, f"{streams} streams and {descriptors} descriptors are left")

    def test_nothing_is_left(self):
        with Relay(environment=LITTLE_QUARANTINE) as relay:
            webhooks.send_many(relay, 0, 50)
            descriptors = metric(self.metrics(relay), "process_open_fds") + MOST_NEW_DESCRIPTORS
            for _ in range(WARM_UP_CONNECTIONS):
                open_and_drop(relay)
            before = metric(self.wait_until_gone(relay, descriptors), "process_resident_memory_bytes")
            for _ in range(CONNECTIONS):
                open_and_drop(relay)
            after = metric(self.wait_until_gone(relay, descriptors), "process_resident_memory_bytes")
            self.assertLess(after - before, MOST_GROWTH_BYTES)
            print(f"memory grew by {(after - before) / 1024:.0f} KiB")
            listed = relay.admin().ListSubscribers(admin.ListSubscribersRequest(), timeout=DEADLINE)
            self.assertEqual([], list(listed.subscribers))
            self.assertEqual(0, metric(self.metrics(relay), "refund_relay_loss_audit_mismatch_events"))


if __name__ == "__main__":
    unittest.main()
