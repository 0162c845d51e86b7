"""HTTPS on the admin port: answers, half-open handshakes, a rotated certificate."""

import contextlib
import http.client
import signal
import socket
import unittest

from certificates import nth_read, renegotiation_is_refused, s_client
from https_case import HttpsCase
from relay import DEADLINE, Relay


class AdminTlsTest(HttpsCase):
    door = "admin"

    def setUp(self):
        super().setUp()
        cert, key = self.put(self.authority.issue())
        self.relay = self.enterContext(Relay(f"--admin_tls_cert_file={cert}", f"--admin_tls_key_file={key}"))

    def get(self, path):
        connection = http.client.HTTPSConnection(
            *self.relay.address("admin"), timeout=DEADLINE, context=self.context
        )
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def test_all_pages_come_over_https(self):
        for path in ("/livez", "/readyz", "/metrics"):
            self.assertEqual(200, self.get(path)[0], path)
        self.assertIn('refund_relay_certificate_expiry_timestamp_seconds{cert="admin"} ', self.get("/metrics")[1])

    def test_renegotiation_is_refused(self):
        self.assertTrue(
            renegotiation_is_refused(self.relay.address("admin"), ca_file=self.authority.cert_file,
                                     after=b"Verify return code")
        )
        self.assertEqual(200, self.get("/livez")[0])

    def test_the_end_of_an_answer_is_told_by_close_notify(self):
        secured = self.connect(self.relay)
        secured.sendall(b"GET /livez HTTP/1.1\r\nHost: relay\r\n\r\n")
        received = b""
        while part := secured.recv(65536):  # raises SSLEOFError without close_notify
            received += part
        self.assertTrue(received.startswith(b"HTTP/1.1 200"), received)

    def test_old_tls_is_refused(self):
        address = self.relay.address("admin")
        self.assertTrue(s_client(address, "-tls1_2", ca_file=self.authority.cert_file)[0])
        self.assertFalse(
            s_client(address, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", ca_file=self.authority.cert_file)[0]
        )

    def test_half_open_handshakes_are_cut_and_shut_no_probe_out(self):
        half_open = [socket.create_connection(self.relay.address("admin"), DEADLINE) for _ in range(100)]
        self.assertEqual(200, self.get("/livez")[0])
        for connection in half_open:
            self.addCleanup(connection.close)
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(b"", connection.recv(1))  # a time-out fails the test

    def test_a_rotated_certificate_is_shown(self):
        self.put(self.authority.issue())
        self.relay.process.send_signal(signal.SIGHUP)
        self.relay.wait_for_line(nth_read(2))
        self.assertEqual(2, int(self.connect(self.relay).getpeercert()["serialNumber"], 16))


if __name__ == "__main__":
    unittest.main()
