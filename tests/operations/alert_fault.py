"""What the faults of the alerts have in common: their list, and hands that break and mend."""

import contextlib
import sqlite3

import grpc
from refundrelay.v1 import refund_event_service_pb2 as service
from refundrelay.v1 import refund_event_service_pb2_grpc

import webhooks
from relay import DEADLINE
from stream import LATEST, Stream, request

LARGE = 60_000  # bytes that make a webhook large, below --max_body_bytes

FAULTS = []  # (name, function, alerts that may fire there)


def fault(*alerts):
    """Registers a function of how to make its server, and the site; only these alerts may fire there (no prefix)."""

    def register(function):
        FAULTS.append((function.__name__, function, {"RefundRelay" + alert for alert in alerts}))
        return function

    return register


def large_webhook(number):
    made = webhooks.webhook(number)
    made["payload"]["refund"]["note"] = "x" * LARGE
    return made


def post(relay, made):
    """Posts a webhook; returns the status alone, whichever."""
    body = webhooks.encode(made)
    return relay.post(body, webhooks.signed(body))[0]


def database(relay):
    """A connection to the log's file from outside, as no server should have to bear it."""
    return contextlib.closing(sqlite3.connect(f"{relay.data_dir}/events.db", isolation_level=None, timeout=DEADLINE))


@contextlib.contextmanager
def locked(relay):
    """Another process's write lock on the log: the server's commits wait."""
    with database(relay) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


def non_reader(relay, name, stack):
    """A subscriber that takes the first messages and then no more."""
    channel = grpc.insecure_channel(
        "%s:%d" % relay.address("grpc"),
        options=[("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65536)],
    )
    stack.callback(channel.close)
    stub = refund_event_service_pb2_grpc.RefundEventServiceStub(channel)
    stream = Stream(stub, request(subscriber_name=name, start_from=LATEST), timeout=20 * DEADLINE)
    stream.read_until("caught_up")
    stack.callback(stream.cancel)  # and so it lives until then
    return stream


def commit(relay, name, position=None):
    """Commits the end of the log, or another position, under a name."""
    stub = relay.events()
    position = position or stub.GetLogInfo(service.GetLogInfoRequest(), timeout=DEADLINE).last_position
    stub.CommitPosition(service.CommitPositionRequest(subscriber_name=name, position=position), timeout=DEADLINE)


def read_on(stream):
    with contextlib.suppress(grpc.RpcError, StopIteration):
        while True:
            stream.read()
