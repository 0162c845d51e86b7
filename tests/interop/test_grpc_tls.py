"""TLS on the gRPC port: who gets in, what is spoken, and certificates that change under load."""

import contextlib
import hashlib
import json
import os
import signal
import socket
import ssl
import tempfile
import threading
import time
import unittest

import grpc
from refundrelay.v1 import refund_event_service_pb2 as service
from refundrelay.v1 import refund_event_service_pb2_grpc

import webhooks
from authority import Authority
from certificates import SecretVolume, nth_read, renegotiation_is_refused, s_client
from relay import DEADLINE, Relay, run_to_end
from stream import EARLIEST, Stream, request

RELOADED = "refund_relay_config_last_reload_successful"
EXPIRY = "refund_relay_certificate_expiry_timestamp_seconds"


class TlsCase(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="refund-relay-tls-"))
        self.authority = Authority(self.folder)
        volume = os.path.join(self.folder, "volume")
        os.mkdir(volume)
        self.volume = SecretVolume(volume)

    def put(self, pair, ca=None):
        files = {"tls_crt": pair[0], "tls_key": pair[1]}
        if ca is not None:
            files["ca_crt"] = ca
        return self.volume.put(**files)

    def relay(self, *flags, ca=None):
        """A server with a good certificate; with `ca`, for clients of that authority only."""
        paths = self.put(self.authority.issue(), ca)
        names = ("cert_file", "key_file", "client_ca_file")
        tls = [f"--grpc_tls_{name}={path}" for name, path in zip(names, paths)]
        return self.enterContext(Relay(*tls, *flags))

    def stub(self, relay, client=None, ca=None):
        """A stub on a new connection; `client` is its certificate and key."""
        cert, key = client or (None, None)
        credentials = grpc.ssl_channel_credentials(
            (ca or self.authority.pem).encode(), key and key.encode(), cert and cert.encode()
        )
        channel = grpc.secure_channel(
            "%s:%d" % relay.address("grpc"), credentials, options=[("grpc.use_local_subchannel_pool", 1)]
        )
        self.addCleanup(channel.close)
        return refund_event_service_pb2_grpc.RefundEventServiceStub(channel)

    def assert_works(self, stub):
        self.assertTrue(stub.GetLogInfo(service.GetLogInfoRequest(), timeout=DEADLINE).log_id)

    def assert_refused(self, stub):
        with self.assertRaises(grpc.RpcError) as caught:
            stub.GetLogInfo(service.GetLogInfoRequest(), timeout=DEADLINE)
        self.assertEqual(grpc.StatusCode.UNAVAILABLE, caught.exception.code(), caught.exception)

    def serial(self, relay):
        """The serial number of the certificate that a new connection is shown."""
        context = ssl.create_default_context(cafile=self.authority.cert_file)
        context.set_alpn_protocols(["h2"])
        with socket.create_connection(relay.address("grpc"), DEADLINE) as plain:
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as secured:
                return int(secured.getpeercert()["serialNumber"], 16)

    def wait_for_metric(self, relay, sample):
        end = time.monotonic() + DEADLINE
        while sample not in relay.admin_get("/metrics")[2]:
            self.assertLess(time.monotonic(), end, sample)


class GrpcTlsTest(TlsCase):
    def test_calls_and_streams_over_tls_and_nothing_over_plain_text(self):
        relay = self.relay()
        ids = webhooks.send_many(relay, 1, 3)
        stub = self.stub(relay)
        self.assert_works(stub)
        stream = Stream(stub, request(start_from=EARLIEST, stop_when_caught_up=True))
        with contextlib.suppress(StopIteration):
            while True:
                stream.read()
        self.assertEqual(ids, [delivery.event.event_id for delivery in stream.deliveries])
        self.assert_refused(relay.events())
        self.assert_refused(self.stub(relay, ca=Authority(self.folder, "other").pem))
        self.assertEqual(200, relay.admin_get("/livez")[0])

    def test_it_starts_off_loopback_without_allow_insecure_grpc(self):
        relay = self.relay("--grpc_address=0.0.0.0:0")
        self.assertEqual(200, relay.admin_get("/livez")[0])

    def test_only_tls_1_2_and_1_3_with_good_suites_and_no_renegotiation(self):
        relay = self.relay()

        def handshake(*arguments):
            return s_client(relay.address("grpc"), "-alpn", "h2", *arguments, ca_file=self.authority.cert_file)

        for good in (["-tls1_3"], ["-tls1_2"], ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"]):
            self.assertTrue(handshake(*good)[0], good)
        for bad in (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], ["-tls1", "-cipher", "ALL:@SECLEVEL=0"],
                    ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"],
                    ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0"],
                    ["-tls1_2", "-cipher", "NULL:@SECLEVEL=0"]):
            self.assertFalse(handshake(*bad)[0], bad)
        # After the server's SETTINGS: type, flags and stream of that frame.
        self.assertTrue(
            renegotiation_is_refused(relay.address("grpc"), "-alpn", "h2", ca_file=self.authority.cert_file,
                                     after=b"\x04\x00\x00\x00\x00\x00")
        )

    def test_mutual_tls_wants_a_certificate_of_its_authority(self):
        clients = Authority(self.folder, "clients")
        relay = self.relay(ca=clients.pem)
        self.assert_works(self.stub(relay, client=clients.issue("DNS:books")))
        self.assert_refused(self.stub(relay))
        self.assert_refused(self.stub(relay, client=self.authority.issue("DNS:books")))
        self.assert_refused(self.stub(relay, client=clients.issue("DNS:books", days=-1)))
        self.assertEqual(200, relay.admin_get("/livez")[0])
        self.assertIn(f'{EXPIRY}{{cert="grpc_client_ca"}}', relay.admin_get("/metrics")[2])

    def test_by_certificate_or_by_token_on_one_port(self):
        clients = Authority(self.folder, "clients")
        policy = os.path.join(self.folder, "policy.json")
        token = "a-token-of-the-ledger-0123456789"
        with open(policy, "w", encoding="utf-8") as file:
            json.dump({"subscribers": {
                "books": {"certificates": ["dns:books.internal"], "events": "all"},
                "ledger": {"token_hashes": ["sha256:" + hashlib.sha256(token.encode()).hexdigest()], "events": "all"},
            }}, file)
        relay = self.relay(f"--access_policy_file={policy}", "--nogrpc_tls_require_client_cert", ca=clients.pem)

        def outcome(name, client=None, token=None):
            stream = Stream(self.stub(relay, client=client), request(subscriber_name=name, start_from=EARLIEST,
                                                                     stop_when_caught_up=True), token=token)
            try:
                while True:
                    stream.read()
            except StopIteration:
                return "read"
            except grpc.RpcError as error:
                return error.code().name

        books = clients.issue("DNS:books.internal")
        self.assertEqual("read", outcome("books", client=books))
        self.assertEqual("read", outcome("ledger", token=token))
        self.assertEqual("PERMISSION_DENIED", outcome("ledger", client=books))
        self.assertEqual("UNAUTHENTICATED", outcome("books"))
        self.assertEqual("UNAUTHENTICATED", outcome("books", client=books, token="another-token-0123456789"))
        self.assertEqual("UNAUTHENTICATED", outcome("books", client=clients.issue("DNS:other.internal")))
        # What is shown is verified, also where nothing need be shown.
        self.assertEqual("UNAVAILABLE", outcome("books", client=self.authority.issue("DNS:books.internal")))

    def test_a_new_client_authority_is_taken_up_and_the_old_one_refused(self):
        old, new = Authority(self.folder, "old"), Authority(self.folder, "new")
        relay = self.relay(ca=old.pem)
        self.put(self.authority.issue(), new.pem)
        relay.process.send_signal(signal.SIGHUP)
        relay.wait_for_line(nth_read(2))
        self.assert_works(self.stub(relay, client=new.issue("DNS:books")))
        self.assert_refused(self.stub(relay, client=old.issue("DNS:books")))

    def test_a_hundred_rotations_under_load_fail_no_call_and_drop_no_stream(self):
        relay = self.relay()
        stream = Stream(self.stub(relay), request(start_from=EARLIEST), timeout=10 * DEADLINE)
        stream.read()
        failures, calls, stop = [], [], threading.Event()

        def call_on_new_connections():
            while not stop.is_set():
                try:
                    self.assert_works(self.stub(relay))
                    calls.append(1)
                except grpc.RpcError as error:
                    failures.append(error)

        threads = [threading.Thread(target=call_on_new_connections) for _ in range(2)]
        for thread in threads:
            thread.start()
        ids = []
        for number in range(1, 101):
            self.put(self.authority.issue())
            relay.process.send_signal(signal.SIGHUP)
            relay.wait_for_line(nth_read(number + 1))
            self.assertEqual(number + 1, self.serial(relay))
            ids.append(webhooks.send(relay, webhooks.webhook(number))["event_id"])
        stop.set()
        for thread in threads:
            thread.join(DEADLINE)
        while len(stream.deliveries) < 100:
            stream.read()
        self.assertEqual(ids, [delivery.event.event_id for delivery in stream.deliveries])
        self.assertEqual([], failures)
        self.assertLess(0, len(calls))
        self.assertNotIn('"error"', "".join(relay.lines))

    def test_a_broken_new_file_keeps_the_old_one_loudly(self):
        relay = self.relay()
        cert_file = os.path.join(self.volume.folder, "tls.crt")
        self.wait_for_metric(relay, f'{RELOADED}{{file="{cert_file}"}} 1\n')
        good = self.authority.issue()
        for pair, cause in (
            ((good[0], self.authority.issue()[1]), "does not belong"),
            (("nonsense", good[1]), "no PEM certificate"),
            ((good[0], "nonsense"), "no PEM private key"),
            (self.authority.issue(days=-1), "has expired"),
        ):
            with self.subTest(cause):
                self.put(pair)
                relay.process.send_signal(signal.SIGHUP)
                record = relay.wait_for_line(lambda record, c=cause: c in record.get("cause", ""))
                self.assertEqual(("error", "grpc", cert_file), (record["level"], record["door"], record["file"]))
                self.wait_for_metric(relay, f'{RELOADED}{{file="{cert_file}"}} 0\n')
                self.assertEqual(1, self.serial(relay))
        os.unlink(cert_file)
        relay.process.send_signal(signal.SIGHUP)
        relay.wait_for_line(lambda record: "No such file" in record.get("cause", ""))
        self.assertEqual(1, self.serial(relay))
        self.put(good)
        relay.process.send_signal(signal.SIGHUP)
        self.wait_for_metric(relay, f'{RELOADED}{{file="{cert_file}"}} 1\n')
        self.assertEqual(2, self.serial(relay))
        self.assertNotIn("PRIVATE KEY", "".join(relay.lines))

    def test_expiry_shows_in_the_metric_and_soon_in_the_log(self):
        relay = self.relay()
        self.assertNotIn("expires soon", "".join(relay.lines))

        def expires_in_days():
            text = relay.admin_get("/metrics")[2]
            value = text.split(f'{EXPIRY}{{cert="grpc"}} ')[1].split("\n")[0]
            return round((float(value) - time.time()) / 86400)

        self.assertEqual(90, expires_in_days())
        self.put(self.authority.issue(days=13))
        relay.process.send_signal(signal.SIGHUP)
        record = relay.wait_for_line(lambda record: "expires soon" in record["message"])
        self.assertEqual(("warning", "grpc"), (record["level"], record["door"]))
        self.assertEqual(13, expires_in_days())

    def test_half_open_handshakes_are_cut_and_hold_up_nobody(self):
        relay = self.relay()
        half_open = [socket.create_connection(relay.address("grpc"), DEADLINE) for _ in range(200)]
        for number, connection in enumerate(half_open):
            self.addCleanup(connection.close)
            if number % 2:
                connection.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a ClientHello
        self.assert_works(self.stub(relay))
        for connection in half_open:
            with contextlib.suppress(ConnectionResetError):
                # A time-out fails the test: gRPC by itself would wait for two minutes.
                self.assertEqual(b"", connection.recv(1))


class StartTest(TlsCase):
    def test_what_is_no_pair_is_refused_with_words(self):
        cert, key = self.put(self.authority.issue())
        stale, stale_key = (os.path.join(self.folder, name) for name in ("stale.crt", "stale.key"))
        for path, text in zip((stale, stale_key), self.authority.issue(days=-1)):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        secrets = os.path.join(self.folder, "secrets")
        with open(secrets, "w", encoding="utf-8") as file:
            file.write("secret\n")
        common = ["--http_address=127.0.0.1:0", "--grpc_address=127.0.0.1:0", "--admin_address=127.0.0.1:0",
                  f"--data_dir={self.folder}/data", f"--webhook_secret_files={secrets}"]
        for flags, code, words in (
            ([f"--grpc_tls_cert_file={cert}"], 2, "--grpc_tls_key_file: not set"),
            ([f"--grpc_tls_key_file={key}"], 2, "--grpc_tls_cert_file: not set"),
            ([f"--grpc_tls_client_ca_file={cert}"], 2, "--grpc_tls_client_ca_file: client certificates need TLS"),
            ([f"--grpc_tls_cert_file={cert}", f"--grpc_tls_key_file={key}", f"--grpc_tls_client_ca_file={cert}",
              "--nogrpc_tls_require_client_cert"], 2, "--grpc_tls_require_client_cert: false lets everyone in"),
            ([f"--grpc_tls_cert_file={cert}", f"--grpc_tls_key_file={stale_key}"], 1, "does not belong"),
            ([f"--grpc_tls_cert_file={stale}", f"--grpc_tls_key_file={stale_key}"], 1, "has expired"),
            ([f"--grpc_tls_cert_file={cert}.no", f"--grpc_tls_key_file={key}"], 1, f"cannot read {cert}.no"),
        ):
            with self.subTest(flags):
                got, text = run_to_end(*common, *flags)
                self.assertEqual(code, got, text)
                self.assertIn(words, text)


if __name__ == "__main__":
    unittest.main()
