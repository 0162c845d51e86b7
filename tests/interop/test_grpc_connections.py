"""Connections of the gRPC port: two caps, the count that comes back to 0, probes that always get in."""

import contextlib
import os
import resource
import socket
import ssl
import struct
import tempfile
import time
import unittest

import grpc
from refundrelay.v1 import refund_event_service_pb2 as service
from refundrelay.v1 import refund_event_service_pb2_grpc

from authority import Authority
from raw_h2 import PREFACE, SETTINGS, WINDOW_UPDATE, frame
from relay import DEADLINE, Relay
from stream import EARLIEST, request
from test_admin_http import metric

OPEN = "refund_relay_grpc_connections"
OPENED = "refund_relay_grpc_connections_opened_total"
SILENT = "refund_relay_grpc_silent_connections_total"
REFUSED = "refund_relay_grpc_connections_refused_total"


class ConnectionsCase(unittest.TestCase):
    def metric(self, relay, name, **labels):
        return metric(relay.admin_get("/metrics")[2], name, **labels)

    def wait_for_metric(self, relay, name, value):
        end = time.monotonic() + DEADLINE
        while (got := self.metric(relay, name)) != value:
            self.assertLess(time.monotonic(), end, f"{name} is {got}, not {value}")
            time.sleep(0.02)

    def connect(self, relay, source="127.0.0.1"):
        connection = socket.create_connection(relay.address("grpc"), DEADLINE, source_address=(source, 0))
        self.addCleanup(connection.close)
        return connection

    def assert_ended(self, connection):
        """The server has ended it; a time-out fails the test."""
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(65536):
                pass

    def fds(self, relay):
        return len(os.listdir(f"/proc/{relay.process.pid}/fd"))


class CapsTest(ConnectionsCase):
    def test_one_address_cannot_take_all_and_room_comes_back(self):
        relay = self.enterContext(Relay("--max_grpc_connections=20", "--max_grpc_connections_per_peer=8"))
        held = [self.connect(relay, "127.0.0.2") for _ in range(8)]
        self.wait_for_metric(relay, OPEN, 8)
        self.assert_ended(self.connect(relay, "127.0.0.2"))
        record = relay.wait_for_line(lambda record: "gRPC connection refused" in record["message"])
        self.assertEqual(
            ("127.0.0.2", "--max_grpc_connections_per_peer", 8), (record["peer"], record["flag"], record["limit"])
        )
        self.assertEqual(1, self.metric(relay, REFUSED, reason="peer"))
        # Others are served, up to the limit of all.
        self.assertTrue(relay.events().GetLogInfo(service.GetLogInfoRequest(), timeout=DEADLINE).log_id)
        others = [self.connect(relay, f"127.0.0.{3 + number}") for number in range(11)]
        self.wait_for_metric(relay, OPEN, 20)
        self.assert_ended(self.connect(relay, "127.0.0.99"))
        self.assertEqual(1, self.metric(relay, REFUSED, reason="total"))
        # The probe is not refused, though everything is taken, and takes no place.
        for _ in range(3):
            self.assertEqual(200, relay.admin_get("/livez")[0])
        self.wait_for_metric(relay, OPEN, 20)
        for connection in held + others:
            connection.close()
        self.wait_for_metric(relay, OPEN, 1)
        self.assertTrue(relay.events().GetLogInfo(service.GetLogInfoRequest(), timeout=DEADLINE).log_id)

    def test_streams_of_one_address(self):
        relay = self.enterContext(Relay("--max_streams=10", "--max_streams_per_peer=2"))
        stub = relay.events()
        held = [stub.Subscribe(request(start_from=EARLIEST)) for _ in range(2)]
        for call in held:
            next(call)
        with self.assertRaises(grpc.RpcError) as caught:
            next(stub.Subscribe(request(start_from=EARLIEST)))
        self.assertEqual(grpc.StatusCode.RESOURCE_EXHAUSTED, caught.exception.code())
        self.assertIn("127.0.0.1, has 2 open streams", caught.exception.details())
        self.assertIn("--max_streams_per_peer", caught.exception.details())
        self.assertEqual(1, self.metric(relay, "refund_relay_streams_refused_total", reason="peer"))
        for call in held:
            call.cancel()
        self.wait_for_metric(relay, "refund_relay_subscriber_streams", 0)
        again = stub.Subscribe(request(start_from=EARLIEST))
        next(again)
        again.cancel()

    def test_running_out_of_descriptors_is_survived_by_both_ports(self):
        relay = self.enterContext(Relay())
        used = self.fds(relay)
        soft, hard = resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, (used + 41, hard))
        held = [self.connect(relay) for _ in range(100)]  # the kernel accepts what the server cannot yet
        relay.wait_for_line(lambda record: "cannot accept gRPC connections for now" in record["message"])
        resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
        self.assertTrue(relay.events().GetLogInfo(service.GetLogInfoRequest(), timeout=DEADLINE).log_id)
        for connection in held:
            connection.close()
        self.assertEqual(200, relay.admin_get("/livez")[0])


class EndsTest(ConnectionsCase):
    ROUNDS = 500

    def test_the_count_comes_back_to_0_and_no_descriptor_stays(self):
        relay = self.enterContext(Relay())
        self.metric(relay, OPEN)
        before = self.fds(relay)
        for number in range(self.ROUNDS):
            for end in (self.silent, self.orderly, self.reset, self.nonsense, self.half_closed):
                end(self.connect_plainly(relay))
        self.wait_for_metric(relay, OPEN, 0)
        self.assertEqual(5 * self.ROUNDS, self.metric(relay, OPENED))
        self.assertEqual(self.ROUNDS, self.metric(relay, SILENT))
        self.wait_for_fds(relay, before)
        self.assertTrue(relay.events().GetLogInfo(service.GetLogInfoRequest(), timeout=DEADLINE).log_id)

    def test_likewise_over_tls(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="refund-relay-ends-"))
        authority = Authority(folder)
        paths = [os.path.join(folder, name) for name in ("tls.crt", "tls.key")]
        for path, text in zip(paths, authority.issue()):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        relay = self.enterContext(Relay(f"--grpc_tls_cert_file={paths[0]}", f"--grpc_tls_key_file={paths[1]}"))
        self.metric(relay, OPEN)
        before = self.fds(relay)
        context = ssl.create_default_context(cafile=authority.cert_file)
        context.set_alpn_protocols(["h2"])
        rounds = self.ROUNDS // 5
        for number in range(rounds):
            for end in (self.silent, self.nonsense, self.reset):
                end(self.connect_plainly(relay))
            half_open = self.connect_plainly(relay)
            half_open.sendall(b"\x16\x03\x01\x02\x00\x01")
            half_open.close()
            secured = context.wrap_socket(self.connect_plainly(relay), server_hostname="127.0.0.1")
            self.orderly(secured)
            # One whose certificate the client refuses.
            with self.assertRaises(ssl.SSLError):
                ssl.create_default_context().wrap_socket(self.connect_plainly(relay), server_hostname="127.0.0.1")
        self.wait_for_metric(relay, OPEN, 0)
        self.assertEqual(6 * rounds, self.metric(relay, OPENED))
        self.wait_for_fds(relay, before)
        channel = grpc.secure_channel(
            "%s:%d" % relay.address("grpc"), grpc.ssl_channel_credentials(authority.pem.encode())
        )
        self.addCleanup(channel.close)
        stub = refund_event_service_pb2_grpc.RefundEventServiceStub(channel)
        self.assertTrue(stub.GetLogInfo(service.GetLogInfoRequest(), timeout=DEADLINE).log_id)

    def test_a_peer_that_the_server_cuts_sees_it_at_once(self):
        relay = self.enterContext(Relay())
        connection = self.connect(relay)
        connection.sendall(PREFACE + frame(SETTINGS) + frame(WINDOW_UPDATE, payload=bytes(4)))  # an error: RFC 9113, 6.9
        self.assert_ended(connection)
        self.wait_for_metric(relay, OPEN, 0)

    def wait_for_fds(self, relay, count):
        end = time.monotonic() + DEADLINE
        while (now := self.fds(relay)) > count:
            self.assertLess(time.monotonic(), end, f"{now} descriptors, {count} before")
            time.sleep(0.02)

    @staticmethod
    def connect_plainly(relay):
        return socket.create_connection(relay.address("grpc"), DEADLINE)

    @staticmethod
    def silent(connection):
        connection.close()

    @staticmethod
    def orderly(connection):
        connection.sendall(PREFACE + frame(SETTINGS))
        connection.recv(1)
        connection.close()

    @staticmethod
    def reset(connection):
        connection.sendall(PREFACE)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    @staticmethod
    def nonsense(connection):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + bytes(100))
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(65536):
                pass
        connection.close()

    @staticmethod
    def half_closed(connection):
        connection.sendall(PREFACE + frame(SETTINGS))
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(65536):
                pass
        connection.close()


class AddressesTest(ConnectionsCase):
    def test_a_wildcard_is_both_families_and_peers_are_told_apart(self):
        for wildcard in ("0.0.0.0", "[::]"):
            with self.subTest(wildcard):
                relay = self.enterContext(Relay(f"--grpc_address={wildcard}:0", "--allow_insecure_grpc"))
                port = relay.address("grpc")[1]
                for host, peer in (("127.0.0.1", "ipv4:127.0.0.1:"), ("[::1]", "ipv6:%5B::1%5D:")):
                    channel = grpc.insecure_channel(f"{host}:{port}")
                    self.addCleanup(channel.close)
                    call = refund_event_service_pb2_grpc.RefundEventServiceStub(channel).Subscribe(
                        request(start_from=EARLIEST)
                    )
                    next(call)
                    record = relay.wait_for_line(
                        lambda record, p=peer: record["message"] == "subscription started"
                        and record["peer"].startswith(p)
                    )
                    self.assertTrue(record)
                    call.cancel()
                self.assertEqual(200, relay.admin_get("/livez")[0])

    def test_ipv6_alone(self):
        relay = self.enterContext(Relay("--grpc_address=[::1]:0"))
        port = relay.address("grpc")[1]
        channel = grpc.insecure_channel(f"[::1]:{port}")
        self.addCleanup(channel.close)
        stub = refund_event_service_pb2_grpc.RefundEventServiceStub(channel)
        self.assertTrue(stub.GetLogInfo(service.GetLogInfoRequest(), timeout=DEADLINE).log_id)
        self.assertEqual(200, relay.admin_get("/livez")[0])
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), DEADLINE)


if __name__ == "__main__":
    unittest.main()
