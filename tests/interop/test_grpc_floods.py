"""Floods on the gRPC port that need no credentials: each is ended or stays bounded, and subscribers do not notice."""

import contextlib
import os
import socket
import threading
import unittest

import grpc
import standard_services_pb2 as standard
from refundrelay.v1 import refund_event_service_pb2 as service

import raw_h2
import webhooks
from raw_h2 import CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM, SETTINGS, frame
from relay import DEADLINE, LITTLE_QUARANTINE, SANITIZE, Relay
from stream import EARLIEST, Stream, request
from test_admin_http import metric

INFO = "refundrelay.v1.RefundEventService/GetLogInfo"
CUT = "refund_relay_grpc_connections_cut_total"
# What a server that kept what is sent here would take is a multiple of it.
SENT_BYTES = 400 << 20
MEMORY_BYTES = (2400 if SANITIZE else 600) << 20


class FloodCase(unittest.TestCase):
    def setUp(self):
        self.relay = self.enterContext(Relay(environment=LITTLE_QUARANTINE))
        self.stream = Stream(self.relay.events(), request(start_from=EARLIEST), timeout=10 * DEADLINE)
        self.stream.read()
        self.sent = 0

    def resident_bytes(self):
        with open(f"/proc/{self.relay.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def assert_served(self):
        """A webhook reaches the open stream, and a new connection is answered."""
        self.sent += 1
        event_id = webhooks.send(self.relay, webhooks.webhook(self.sent))["event_id"]
        while not self.stream.deliveries or self.stream.deliveries[-1].event.event_id != event_id:
            self.stream.read()
        self.assertTrue(self.relay.events().GetLogInfo(service.GetLogInfoRequest(), timeout=DEADLINE).log_id)

    def cuts(self):
        return metric(self.relay.admin_get("/metrics")[2], CUT)

    def flood(self, connection, pieces, most_bytes=SENT_BYTES):
        """Sends until the server ends the connection, reading what it says meanwhile; returns how many bytes."""
        def read():
            try:
                while connection.recv(65536):
                    pass
            except OSError:
                pass

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        sent = 0
        try:
            for piece in pieces:
                connection.sendall(piece)
                sent += len(piece)
                if sent > most_bytes:
                    self.fail(f"{sent} bytes were taken")
        except (BrokenPipeError, ConnectionResetError):
            pass
        reader.join(DEADLINE)
        self.assertFalse(reader.is_alive(), "the server has not ended the connection")
        connection.close()
        return sent

    def assert_cut(self, pieces):
        before = self.resident_bytes()
        cuts = self.cuts()
        self.flood(raw_h2.connect(self.relay.address("grpc")), pieces)
        self.assertLess(self.resident_bytes() - before, MEMORY_BYTES)
        self.assertEqual(cuts + 1, self.cuts())
        record = self.relay.wait_for_line(lambda record: "sends much and calls too little" in record["message"])
        self.assertEqual("127.0.0.1", record["peer"])
        self.assert_served()


def for_ever(piece):
    while True:
        yield piece


def resets(method, count=100):
    """Calls that are reset at once."""
    block, stream = raw_h2.call_headers(method), 1
    while stream < 2**31 - 2 * count:
        piece = b""
        for _ in range(count):
            piece += frame(HEADERS, END_HEADERS, stream, block) + frame(RST_STREAM, 0, stream, bytes([0, 0, 0, 8]))
            stream += 2
        yield piece


class CutTest(FloodCase):
    def test_a_header_block_without_end(self):
        fields = b"".join(raw_h2.field(f"x-{number}", "v" * 400) for number in range(30))
        begin = frame(HEADERS, 0, 1, raw_h2.call_headers(INFO))

        def pieces():
            yield begin
            yield from for_ever(frame(CONTINUATION, 0, 1, fields))

        self.assert_cut(pieces())

    def test_empty_continuations(self):
        def pieces():
            yield frame(HEADERS, 0, 1, raw_h2.call_headers(INFO))
            yield from for_ever(frame(CONTINUATION, 0, 1) * 1000)

        self.assert_cut(pieces())

    def test_settings(self):
        self.assert_cut(for_ever(frame(SETTINGS, 0, 0, bytes([0, 4, 0, 0, 255, 255])) * 1000))

    def test_resets_of_calls_that_are_not_ours(self):
        for method in ("nobody.v1.Nothing/Call", "grpc.health.v1.Health/Check",
                       "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"):
            with self.subTest(method):
                self.assert_cut(resets(method))


class StrangersTest(FloodCase):
    """With a policy, calls that nobody may make pay for nothing."""

    def setUp(self):
        self.relay = Relay()
        policy = self.relay.write_file("policy", '{"subscribers": {}}')
        self.relay.flags = [f"--access_policy_file={policy}"]
        self.enterContext(self.relay)

    def test_a_refused_call_now_and_then_does_not_hide_a_flood(self):
        def mixed():
            stream = 1
            ours, others = raw_h2.call_headers(INFO), raw_h2.call_headers("nobody.v1.Nothing/Call")
            while True:
                piece = frame(HEADERS, END_HEADERS, stream, ours) + frame(DATA, END_STREAM, stream, raw_h2.message())
                for _ in range(200):
                    stream += 2
                    piece += frame(HEADERS, END_HEADERS, stream, others)
                    piece += frame(RST_STREAM, 0, stream, bytes([0, 0, 0, 8]))
                stream += 2
                yield piece

        before = self.resident_bytes()
        # A server that does not cut it grows by hundreds of MB with each ten that are sent.
        self.flood(raw_h2.connect(self.relay.address("grpc")), mixed(), most_bytes=40 << 20)
        self.assertEqual(1, self.cuts())
        self.assertLess(self.resident_bytes() - before, MEMORY_BYTES)


class BoundedTest(FloodCase):
    def test_pings_are_ended_by_grpc_itself(self):
        before = self.resident_bytes()
        self.flood(raw_h2.connect(self.relay.address("grpc")), for_ever(frame(PING, 0, 0, bytes(8)) * 1000))
        self.assertLess(self.resident_bytes() - before, MEMORY_BYTES)
        self.assert_served()

    def test_resets_of_our_calls(self):
        before = self.resident_bytes()
        for method in (INFO, "refundrelay.v1.RefundEventService/Subscribe"):
            connection = raw_h2.connect(self.relay.address("grpc"))
            reader = threading.Thread(target=self.read_all, args=(connection,), daemon=True)
            reader.start()
            # A server that is behind may cut the connection: then no call has begun for long.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for number, piece in enumerate(resets(method)):
                    connection.sendall(piece)
                    if number == 300:  # 30,000 calls
                        break
            self.assert_served()
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            reader.join(DEADLINE)
            connection.close()
        self.assertLess(self.resident_bytes() - before, MEMORY_BYTES)

    @staticmethod
    def read_all(connection):
        try:
            while connection.recv(65536):
                pass
        except OSError:
            pass

    def test_metadata_beyond_the_limit_fails_that_call_alone(self):
        stub = self.relay.events()
        for size, code in ((8 << 10, grpc.StatusCode.OK), (17 << 10, grpc.StatusCode.RESOURCE_EXHAUSTED)):
            call = stub.GetLogInfo.future(
                service.GetLogInfoRequest(), metadata=[("x-much", "v" * size)], timeout=DEADLINE
            )
            self.assertEqual(code, call.code(), size)
        self.assertTrue(stub.GetLogInfo(service.GetLogInfoRequest(), timeout=DEADLINE).log_id)

    def test_a_message_beyond_the_limit_fails_that_call_alone(self):
        stub = self.relay.events()
        with self.assertRaises(grpc.RpcError) as caught:
            stub.GetEvent(service.GetEventRequest(event_id="x" * (300 << 10)), timeout=DEADLINE)
        self.assertEqual(grpc.StatusCode.RESOURCE_EXHAUSTED, caught.exception.code())
        self.assertTrue(stub.GetLogInfo(service.GetLogInfoRequest(), timeout=DEADLINE).log_id)

    def test_compressed_messages_are_refused_before_they_are_inflated(self):
        # RESOURCE_EXHAUSTED would say that it was inflated and is too large.
        channel = grpc.insecure_channel("%s:%d" % self.relay.address("grpc"))
        self.addCleanup(channel.close)
        call = channel.unary_unary("/" + INFO, request_serializer=lambda message: message)
        for compression in (grpc.Compression.Gzip, grpc.Compression.Deflate):
            with self.assertRaises(grpc.RpcError) as caught:
                call(bytes(16 << 20), compression=compression, timeout=DEADLINE)
            self.assertEqual(grpc.StatusCode.UNIMPLEMENTED, caught.exception.code(), caught.exception)
        self.assert_served()

    def test_callers_that_flood_from_their_first_moment_let_others_connect(self):
        block, settings = raw_h2.call_headers(INFO), frame(SETTINGS, 0, 0, bytes([0, 4, 0, 0, 255, 255])) * 50000

        def flood(connection, begun, done):
            stream = 1
            with contextlib.suppress(OSError):  # it may be cut
                while not done.is_set():
                    call = frame(HEADERS, END_HEADERS, stream, block) + frame(DATA, END_STREAM, stream, raw_h2.message())
                    connection.sendall(settings + call)
                    stream += 2
                    if stream > 40:
                        begun.set()
            begun.set()

        # Each of them has a chance to keep the thread that gives connections to gRPC.
        for _ in range(16):
            begun, done = threading.Event(), threading.Event()
            connection = raw_h2.connect(self.relay.address("grpc"))
            connection.sendall(settings)  # while the server still takes the connection
            ends = [threading.Thread(target=self.read_all, args=(connection,), daemon=True),
                    threading.Thread(target=flood, args=(connection, begun, done), daemon=True)]
            for end in ends:
                end.start()
            try:
                self.assertTrue(begun.wait(DEADLINE))
                self.assert_served()
            finally:
                done.set()
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                for end in ends:
                    end.join(DEADLINE)
                connection.close()

    def test_busy_callers_and_quiet_ones_are_not_cut(self):
        stub = self.relay.events()
        # More than the bound, all of it calls; at once, so that much of it waits to be read.
        for _ in range(20):
            calls = [stub.GetEvent.future(service.GetEventRequest(event_id="x" * (100 << 10)), timeout=DEADLINE)
                     for _ in range(40)]
            self.assertEqual({grpc.StatusCode.INVALID_ARGUMENT}, {call.code() for call in calls})  # ids are short
        self.assert_served()
        self.assertEqual(0, self.cuts())


class ThreadsTest(FloodCase):
    def threads(self):
        return len(os.listdir(f"/proc/{self.relay.process.pid}/task"))

    def test_reflection_and_health_streams_take_few_threads(self):
        before = self.threads()
        held = []
        for kind, make in (("reflection", self.reflection), ("health", self.watch)):
            for _ in range(10):
                channel = self.relay.channel()
                held += [make(channel) for _ in range(30)]
        # Those that are served have their threads; the others wait for one.
        next(held[0])
        self.assert_served()
        self.assertLess(self.threads() - before, 64 + 16)
        for call in held:
            call.cancel()
        self.assert_served()

    @staticmethod
    def reflection(channel):
        info = channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            request_serializer=standard.ReflectionRequest.SerializeToString,
            response_deserializer=standard.ReflectionResponse.FromString,
        )
        asked = threading.Event()

        def requests():
            yield standard.ReflectionRequest(list_services="")
            asked.wait()  # stays open until it is cancelled

        call = info(requests(), timeout=10 * DEADLINE)
        call.add_callback(asked.set)
        return call

    @staticmethod
    def watch(channel):
        watch = channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            request_serializer=standard.HealthCheckRequest.SerializeToString,
            response_deserializer=standard.HealthCheckResponse.FromString,
        )
        return watch(standard.HealthCheckRequest(service=""), timeout=10 * DEADLINE)


if __name__ == "__main__":
    unittest.main()
