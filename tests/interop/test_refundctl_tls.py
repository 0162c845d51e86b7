"""refundctl over TLS: whom it trusts, what it shows, and the token that it sends."""

import os
import subprocess
import tempfile
import unittest
from concurrent import futures

import grpc
from refundrelay.v1 import refund_event_service_pb2 as service
from refundrelay.v1 import refund_event_service_pb2_grpc

from authority import Authority
from relay import BIN, DEADLINE, Relay


class RefundctlCase(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="refund-relay-refundctl-"))
        self.authority = Authority(self.folder)

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def pair(self, name, authority, names="DNS:localhost,IP:127.0.0.1"):
        """Issues a certificate into files; returns their paths."""
        cert, key = authority.issue(names)
        return self.file(name + ".crt", cert), self.file(name + ".key", key)

    def info(self, address, *arguments, code=0):
        """Runs `refundctl info`; returns what it printed on stdout and on stderr."""
        command = [os.path.join(BIN, "refundctl"), "--address=%s:%d" % address, "--timeout=3s", "info", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        return done.stdout, done.stderr


class TlsTest(RefundctlCase):
    def relay(self, *flags, names="DNS:localhost,IP:127.0.0.1"):
        cert, key = self.pair("server", self.authority, names)
        return self.enterContext(Relay(f"--grpc_tls_cert_file={cert}", f"--grpc_tls_key_file={key}", *flags))

    def test_it_trusts_the_given_authority_only(self):
        address = self.relay().address("grpc")
        self.info(address, f"--ca_file={self.authority.cert_file}")
        self.info(address, f"--ca_file={Authority(self.folder, 'other').cert_file}", code=3)
        self.info(address, "--tls", code=3)
        self.info(address, code=3)

    def test_the_certificate_must_name_the_server(self):
        address = self.relay(names="DNS:relay.example").address("grpc")
        ca = f"--ca_file={self.authority.cert_file}"
        self.info(address, ca, code=3)
        self.info(address, ca, "--server_name=other.example", code=3)
        self.info(address, ca, "--server_name=relay.example")

    def test_it_shows_its_certificate(self):
        clients = Authority(self.folder, "clients")
        address = self.relay(f"--grpc_tls_client_ca_file={clients.cert_file}").address("grpc")
        ca = f"--ca_file={self.authority.cert_file}"
        cert, key = self.pair("client", clients, "DNS:books")
        self.info(address, ca, f"--cert_file={cert}", f"--key_file={key}")
        self.info(address, ca, code=3)
        cert, key = self.pair("stranger", self.authority, "DNS:books")
        self.info(address, ca, f"--cert_file={cert}", f"--key_file={key}", code=3)

    def test_wrong_options_are_refused_with_words(self):
        cert, key = self.pair("client", self.authority)
        ca = f"--ca_file={self.authority.cert_file}"
        token = self.file("token", "secret-token\n")
        for arguments, code, words in (
            ([ca, f"--cert_file={cert}"], 2, "cert_file and key_file belong together"),
            ([f"--cert_file={cert}", f"--key_file={key}"], 2, "cert_file is for TLS only"),
            ([f"--token_file={token}"], 2, "token_file is for TLS only"),
            ([f"--ca_file={key}"], 2, "holds no PEM certificate"),
            ([f"--ca_file={key}.no"], 4, f"cannot read {key}.no"),
            ([ca, f"--token_file={self.file('empty', ' ')}"], 2, "holds no token"),
        ):
            with self.subTest(arguments):
                _, err = self.info(("127.0.0.1", 1), *arguments, code=code)
                self.assertIn(words, err)
                self.assertNotIn("secret-token", err)


class Recorder(refund_event_service_pb2_grpc.RefundEventServiceServicer):
    """Keeps the authorization of each call."""

    def __init__(self):
        self.seen = []

    def GetLogInfo(self, _, context):
        self.seen.append([value for name, value in context.invocation_metadata() if name == "authorization"])
        return service.GetLogInfoResponse(log_id="log")


class TokenTest(RefundctlCase):
    def test_the_token_goes_with_the_call_over_tls(self):
        recorder = Recorder()
        server = grpc.server(futures.ThreadPoolExecutor(2))
        refund_event_service_pb2_grpc.add_RefundEventServiceServicer_to_server(recorder, server)
        cert, key = self.authority.issue()
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key.encode(), cert.encode())]))
        server.start()
        self.addCleanup(server.stop, None)
        ca = f"--ca_file={self.authority.cert_file}"
        self.info(("127.0.0.1", port), ca)
        self.info(("127.0.0.1", port), ca, f"--token_file={self.file('token', ' secret-token' + chr(10))}")
        self.assertEqual([[], ["Bearer secret-token"]], recorder.seen)


if __name__ == "__main__":
    unittest.main()
