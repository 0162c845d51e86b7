"""A subscription as a test reads it, and the rich errors of this service."""

import contextlib

import grpc
from google.protobuf import duration_pb2
from refundrelay.v1 import refund_event_service_pb2 as service
from refundrelay.v1 import rpc_status_pb2

from relay import DEADLINE

EARLIEST = service.START_FROM_EARLIEST
LATEST = service.START_FROM_LATEST
COMMITTED = service.START_FROM_COMMITTED


def request(**fields):
    """A SubscribeRequest with a name and one-second heartbeats, unless told otherwise."""
    fields.setdefault("subscriber_name", "interop")
    fields.setdefault("heartbeat_interval", duration_pb2.Duration(seconds=1))
    return service.SubscribeRequest(**fields)


class Stream:
    """Reads a stream message by message; checks on the way what holds for every stream. `token` is a bearer token."""

    def __init__(self, stub, subscribe_request, timeout=DEADLINE, token=None):
        metadata = [("authorization", f"Bearer {token}")] if token else []
        self._call = stub.Subscribe(subscribe_request, timeout=timeout, metadata=metadata)
        self.started = None
        self.deliveries = []  # so far
        self.position = None  # the newest one that the server sent
        self.last_sequence = None  # of the last delivery; at first of the start

    def cancel(self):
        self._call.cancel()

    def read(self):
        """Returns (kind, message); raises grpc.RpcError at the end, StopIteration at an OK end."""
        response = next(self._call)
        kind = response.WhichOneof("response")
        message = getattr(response, kind)
        if self.started is None:
            assert kind == "started", f"the first message is {kind}"
            self.started = message
            self.last_sequence = message.position.sequence
        else:
            assert kind != "started", "started came twice"
            assert message.position.sequence >= self.position.sequence, "a position went back"
        if kind == "batch":
            assert message.previous_sequence == self.last_sequence, (message.previous_sequence, self.last_sequence)
            assert message.deliveries, "an empty batch"
            for delivery in message.deliveries:
                assert delivery.sequence > self.last_sequence, "sequences do not rise"
                self.last_sequence = delivery.sequence
            assert message.position.sequence >= self.last_sequence, "position lies before a delivery of its batch"
            self.deliveries.extend(message.deliveries)
        assert message.position.log_id == self.started.log_id
        self.position = message.position
        return kind, message

    def read_until(self, kind):
        """Reads on to the next message of this kind and returns it."""
        while True:
            got, message = self.read()
            if got == kind:
                return message

    def read_events(self, count):
        """Reads on until `count` deliveries have come in all; returns the event ids."""
        while len(self.deliveries) < count:
            self.read()
        return self.event_ids()

    def read_to_end(self):
        """Reads to the OK end; returns the event ids."""
        with contextlib.suppress(StopIteration):
            while True:
                self.read()
        return self.event_ids()

    def event_ids(self):
        return [delivery.event.event_id for delivery in self.deliveries]


@contextlib.contextmanager
def subscription(relay, **fields):
    """A stream that is cancelled at the end of the block."""
    stream = Stream(relay.events(), request(**fields))
    try:
        yield stream
    finally:
        stream.cancel()


def event_ids(relay, **fields):
    """The ids of everything that a bounded read of the log gives."""
    fields.setdefault("start_from", EARLIEST)
    with subscription(relay, stop_when_caught_up=True, **fields) as stream:
        return stream.read_to_end()


class RichError:
    """An RpcError with its details from grpc-status-details-bin."""

    def __init__(self, error):
        self.code = error.code()
        self.text = error.details()
        self.reason = None
        self.domain = None
        self.metadata = {}
        self.fields = []
        self.retry_delay = None
        metadata = dict(error.trailing_metadata() or ())
        raw = metadata.get("grpc-status-details-bin")
        if raw is None:
            return
        status = rpc_status_pb2.Status.FromString(raw)
        assert status.code == self.code.value[0], "the status in the details is another"
        for detail in status.details:
            prefix, _, name = detail.type_url.rpartition("/")
            assert prefix == "type.googleapis.com", detail.type_url
            if name == "google.rpc.ErrorInfo":
                info = rpc_status_pb2.ErrorInfo.FromString(detail.value)
                self.reason, self.domain, self.metadata = info.reason, info.domain, dict(info.metadata)
            elif name == "google.rpc.BadRequest":
                bad = rpc_status_pb2.BadRequest.FromString(detail.value)
                self.fields = [violation.field for violation in bad.field_violations]
            elif name == "google.rpc.RetryInfo":
                self.retry_delay = rpc_status_pb2.RetryInfo.FromString(detail.value).retry_delay


def error_of(call, *arguments, **keywords):
    """Calls something that must fail with an RpcError; returns it as a RichError."""
    try:
        result = call(*arguments, **keywords)
    except grpc.RpcError as error:
        return RichError(error)
    raise AssertionError(f"no error, but {result!r}")


def subscribe_error(relay, subscribe_request):
    """The error that a subscription ends with, whatever came before it."""

    def read_all():
        return list(relay.events().Subscribe(subscribe_request, timeout=DEADLINE))

    return error_of(read_all)
