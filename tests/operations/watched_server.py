"""A server with something to show in each panel of the dashboard: every door and duty in use, and a little of each kind
of trouble."""

import contextlib
import os
import tempfile
import threading

import grpc
from google.protobuf import duration_pb2
from refundrelay.v1 import refund_event_service_pb2 as service
from refundrelay.v1 import refund_event_service_pb2_grpc

import webhooks
from alert_site import Server
from authority import Authority
from relay import DEADLINE
from stream import EARLIEST, Stream, request


class WatchedServer:
    """Use as a context manager; `act` does a little of everything, `number` being its turn."""

    def __init__(self, site):
        self._site = site
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        with self._stack:
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="refund-relay-watched-"))
            self._authority = Authority(folder)
            paths = [os.path.join(folder, name) for name in ("crt", "key")]
            for path, text in zip(paths, self._authority.issue()):
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
            self.relay = self._stack.enter_context(Server(
                self._site, "relay-0", f"--grpc_tls_cert_file={paths[0]}", f"--grpc_tls_key_file={paths[1]}",
                "--retention_age=20s", "--backup_interval=1m", f"--backup_dir={folder}/backups"))
            self.stub = self._make_stub()
            self._follow("books")
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *arguments):
        return self._stack.__exit__(*arguments)

    def _make_stub(self):
        channel = grpc.secure_channel("%s:%d" % self.relay.address("grpc"),
                                      grpc.ssl_channel_credentials(self._authority.pem.encode()))
        self._stack.callback(channel.close)
        return refund_event_service_pb2_grpc.RefundEventServiceStub(channel)

    def _follow(self, name):
        """Reads and commits on a thread, as a subscriber does."""
        stream = Stream(self.stub, request(subscriber_name=name, start_from=EARLIEST,
                                           heartbeat_interval=duration_pb2.Duration(seconds=5)), timeout=100 * DEADLINE)
        self._stack.callback(stream.cancel)

        def read():
            with contextlib.suppress(grpc.RpcError):
                while True:
                    stream.read()
                    self.commit(name, stream.position)

        threading.Thread(target=read, daemon=True).start()

    def commit(self, name, position):
        self.stub.CommitPosition(service.CommitPositionRequest(subscriber_name=name, position=position), timeout=DEADLINE)

    def act(self, number):
        webhooks.send(self.relay, webhooks.webhook(number))
        if number % 5 == 0:
            webhooks.send(self.relay, webhooks.webhook(number))  # a duplicate
        if number % 20 == 0:
            webhooks.send(self.relay, webhooks.webhook(number + 500_000, webhooks.BUNDLE))  # drift
        if number % 30 == 0:
            body = webhooks.encode(webhooks.webhook(number))
            assert self.relay.post(body, webhooks.signed(body, "another secret"))[0] == 401
        if number in (40, 90):
            body = b"[%d" % number
            assert self.relay.post(body, webhooks.signed(body))[0] == 400
        if number == 10:  # a subscriber that was here and is away
            self.commit("audit", self.stub.GetLogInfo(service.GetLogInfoRequest(), timeout=DEADLINE).last_position)
