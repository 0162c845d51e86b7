"""HTTPS on the webhook port: what is spoken, who holds up whom, and certificates that change under load."""

import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import unittest

import raw_http
import webhooks
from authority import Authority
from certificates import nth_read, renegotiation_is_refused, s_client
from https_case import HttpsCase
from relay import BIN, DEADLINE, Relay


class HttpTlsTest(HttpsCase):
    door = "http"

    def relay(self, *flags, rsa=False):
        cert, key = self.put(self.authority.issue(rsa=rsa))
        return self.enterContext(Relay(f"--http_tls_cert_file={cert}", f"--http_tls_key_file={key}", *flags))

    def post(self, relay, number, connection=None):
        """Posts a signed webhook; returns the status."""
        own = connection or http.client.HTTPSConnection(
            *relay.address("http"), timeout=DEADLINE, context=self.context
        )
        body = webhooks.encode(webhooks.webhook(number))
        own.request("POST", "/webhooks/refund", body, {"Content-Type": "application/json", **webhooks.signed(body)})
        answer = own.getresponse()
        answer.read()
        if connection is None:
            own.close()
        return answer.status

    def test_webhooks_are_taken_over_https_on_one_connection_and_on_many(self):
        relay = self.relay()
        connection = http.client.HTTPSConnection(*relay.address("http"), timeout=DEADLINE, context=self.context)
        self.addCleanup(connection.close)
        self.assertEqual([200] * 5, [self.post(relay, number, connection) for number in range(1, 6)])
        self.assertEqual([200] * 5, [self.post(relay, number) for number in range(6, 11)])

    def test_a_large_body_and_an_early_refusal_arrive_whole(self):
        relay = self.relay()
        secured = self.connect(relay)
        body = b"x" * (1 << 20)
        with contextlib.suppress(ConnectionError, ssl.SSLError):  # the server may stop reading before all is sent
            secured.sendall(raw_http.webhook_request(body))
        with secured.makefile("rb") as stream:
            status, _, answer = raw_http.read_answer(stream)
        self.assertEqual((413, 413), (status, json.loads(answer)["status"]))

    def test_the_end_of_an_answer_is_told_by_close_notify(self):
        relay = self.relay()
        secured = self.connect(relay)
        secured.sendall(raw_http.webhook_request(b"{}", "Connection: close"))
        received = b""
        while part := secured.recv(65536):  # raises SSLEOFError without close_notify
            received += part
        self.assertTrue(received.startswith(b"HTTP/1.1 4"), received)

    def test_plain_text_gets_no_answer(self):
        relay = self.relay()
        with socket.create_connection(relay.address("http"), DEADLINE) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: relay\r\n\r\n")
            received = b""
            with contextlib.suppress(ConnectionResetError):
                while part := plain.recv(65536):
                    received += part
            self.assertNotIn(b"HTTP/1.1", received)

    def test_only_tls_1_2_and_1_3_with_good_suites(self):
        for rsa in (False, True):
            relay = self.relay(rsa=rsa)
            kind = "RSA" if rsa else "ECDSA"

            def handshake(*arguments, address=relay.address("http")):
                return s_client(address, *arguments, ca_file=self.authority.cert_file)[0]

            for good in (["-tls1_3"], ["-tls1_2"], ["-tls1_2", "-cipher", f"ECDHE-{kind}-AES256-GCM-SHA384"],
                         ["-tls1_2", "-cipher", f"ECDHE-{kind}-CHACHA20-POLY1305"]):
                self.assertTrue(handshake(*good), good)
            for bad in (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], ["-tls1", "-cipher", "ALL:@SECLEVEL=0"],
                        ["-tls1_2", "-cipher", f"ECDHE-{kind}-AES128-SHA256"],
                        ["-tls1_2", "-cipher", f"ECDHE-{kind}-AES256-SHA:@SECLEVEL=0"],
                        ["-tls1_2", "-cipher", "AES128-GCM-SHA256"], ["-tls1_2", "-cipher", "NULL:@SECLEVEL=0"]):
                self.assertFalse(handshake(*bad), bad)
            relay.stop()

    def test_renegotiation_is_refused(self):
        relay = self.relay()
        self.assertTrue(
            renegotiation_is_refused(relay.address("http"), ca_file=self.authority.cert_file, after=b"Verify return code")
        )
        self.assertEqual(200, self.post(relay, 1))

    def test_half_open_handshakes_are_cut_and_hold_up_nobody(self):
        relay = self.relay("--http_threads=1")
        half_open = [socket.create_connection(relay.address("http"), DEADLINE) for _ in range(200)]
        for number, connection in enumerate(half_open):
            self.addCleanup(connection.close)
            if number % 2:
                connection.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a ClientHello
        self.assertEqual(200, self.post(relay, 1))
        for connection in half_open:
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(b"", connection.recv(1))  # a time-out fails the test
        self.assertEqual(200, self.post(relay, 2))

    def test_half_open_handshakes_do_not_hold_up_the_stop(self):
        relay = self.relay("--drain_timeout=10m")
        half_open = socket.create_connection(relay.address("http"), DEADLINE)
        self.addCleanup(half_open.close)
        self.assertEqual(200, self.post(relay, 1))
        self.assertEqual(0, relay.stop())
        relay.start()

    def test_connections_beyond_the_cap_are_closed_without_a_handshake(self):
        relay = self.relay("--max_http_connections=2")
        kept = [self.connect(relay) for _ in range(2)]
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.connect(relay)
        with socket.create_connection(relay.address("http"), DEADLINE) as plain, contextlib.suppress(ConnectionResetError):
            self.assertEqual(b"", plain.recv(1))  # nor an answer in plain text
        kept[0].close()
        kept[1].sendall(raw_http.webhook_request(b"{}"))
        with kept[1].makefile("rb") as stream:
            self.assertIn(raw_http.read_answer(stream)[0], (400, 422))

    def test_a_hundred_rotations_under_load_fail_no_request_and_cut_no_connection(self):
        relay = self.relay()
        old = http.client.HTTPSConnection(*relay.address("http"), timeout=DEADLINE, context=self.context)
        self.addCleanup(old.close)
        self.assertEqual(200, self.post(relay, 1, old))
        old_socket = old.sock
        statuses, failures, stop = [], [], threading.Event()

        def post_on_new_connections(number):
            while not stop.is_set():
                number += 1
                try:
                    statuses.append(self.post(relay, number))
                except (OSError, http.client.HTTPException) as error:
                    failures.append(error)

        threads = [threading.Thread(target=post_on_new_connections, args=(n * 1_000_000,)) for n in (1, 2)]
        for thread in threads:
            thread.start()
        for number in range(1, 101):
            self.put(self.authority.issue())
            relay.process.send_signal(signal.SIGHUP)
            relay.wait_for_line(nth_read(number + 1))
            shown = self.connect(relay)
            self.assertEqual(number + 1, int(shown.getpeercert()["serialNumber"], 16))
            shown.close()
            self.assertEqual(200, self.post(relay, 1 + number, old))
        stop.set()
        for thread in threads:
            thread.join(DEADLINE)
        self.assertIs(old_socket, old.sock)  # http.client would have reconnected silently
        self.assertEqual([], failures)
        self.assertEqual({200}, set(statuses))

    def test_a_broken_new_pair_keeps_the_old_one_loudly(self):
        relay = self.relay()
        self.put((self.authority.issue()[0], self.authority.issue()[1]))
        relay.process.send_signal(signal.SIGHUP)
        record = relay.wait_for_line(lambda record: "does not belong" in record.get("cause", ""))
        self.assertEqual(("error", "http"), (record["level"], record["door"]))
        self.assertEqual(1, int(self.connect(relay).getpeercert()["serialNumber"], 16))
        metrics = relay.admin_get("/metrics")[2]
        self.assertIn(f'refund_relay_config_last_reload_successful{{file="{self.volume.folder}/tls.crt"}} 0\n', metrics)
        self.assertIn('refund_relay_certificate_expiry_timestamp_seconds{cert="http"} ', metrics)

    def test_refundctl_sends_over_https_and_checks_whom_it_talks_to(self):
        relay = self.relay()
        host, port = relay.address("http")

        def send(*arguments, host=host):
            command = [os.path.join(BIN, "refundctl"), "send", "--sample=pass", "--unique", "--timeout=5s",
                       f"--secret-file={relay.folder}/secrets", f"--url=https://{host}:{port}/webhooks/refund"]
            return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=DEADLINE)

        ca = f"--ca_file={self.authority.cert_file}"
        done = send(ca)
        self.assertEqual((0, True), (done.returncode, done.stdout.startswith("200 ")), done.stderr)
        self.assertEqual(0, send(ca, host="localhost").returncode)
        for bad in ([], [f"--ca_file={Authority(self.folder, 'other').cert_file}"],
                    [ca, "--server_name=other.example"]):
            done = send(*bad)
            self.assertEqual(3, done.returncode, bad)
            self.assertIn("TLS handshake", done.stderr)


if __name__ == "__main__":
    unittest.main()
