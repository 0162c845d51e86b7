"""What a TLS scanner (sslscan) says of all three doors, and what it cannot say, by bytes; with controls that are weak."""

import contextlib
import os
import socket
import struct
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as xml

from authority import Authority
from certificates import renegotiation_is_refused, s_client
from relay import DEADLINE, Relay

DOORS = ("http", "grpc", "admin")
# By sslscan's words. Every suite of TLS 1.3 is forward secret and AEAD.
GOOD_SUITE_STARTS = ("ECDHE-ECDSA-AES128-GCM", "ECDHE-ECDSA-AES256-GCM", "ECDHE-ECDSA-CHACHA20", "ECDHE-RSA-AES128-GCM",
                     "ECDHE-RSA-AES256-GCM", "ECDHE-RSA-CHACHA20")
LEAST_GROUP_BITS = 112


class ScanFailed(Exception):
    pass


def scan(address, folder):
    """The scanner's report; raises ScanFailed if there is none, as when nothing listens there."""
    path = os.path.join(folder, "scan.xml")
    subprocess.run(["sslscan", "--no-colour", "--xml=" + path, "%s:%d" % address], capture_output=True, timeout=DEADLINE,
                   check=False)
    root = xml.parse(path).getroot()
    test = root.find("ssltest")
    if test is None:
        raise ScanFailed("".join(root.itertext()).strip())
    return test


def weaknesses(test):
    """What is wrong in a report, or missing from it."""
    found = []
    protocols = {f"{p.get('type')} {p.get('version')}": p.get("enabled") for p in test.findall("protocol")}
    for name, wanted in (("ssl 2", "0"), ("ssl 3", "0"), ("tls 1.0", "0"), ("tls 1.1", "0"), ("tls 1.2", "1"), ("tls 1.3", "1")):
        if protocols.get(name) != wanted:
            found.append(f"{name}: enabled is {protocols.get(name)}")
    suites = [(cipher.get("sslversion"), cipher.get("cipher")) for cipher in test.findall("cipher")]
    found += [suite for version, suite in suites if version != "TLSv1.3" and not suite.startswith(GOOD_SUITE_STARTS)]
    found += [f"no suite of {wanted}" for wanted in ("TLSv1.2", "TLSv1.3") if wanted not in dict(suites)]
    renegotiation = test.find("renegotiation")
    if renegotiation is None or renegotiation.get("supported") != "0":
        found.append("renegotiation")
    compression = test.find("compression")  # only where the scanner's own OpenSSL has it
    if compression is not None and compression.get("supported") != "0":
        found.append("compression")
    found += ["heartbleed" for bug in test.findall("heartbleed") if bug.get("vulnerable") != "0"]
    found += [f"group {group.get('name')}" for group in test.findall("group") if int(group.get("bits")) < LEAST_GROUP_BITS]
    if any(algorithm.text.lower().startswith(("sha1", "md5")) for algorithm in test.iter("signature-algorithm")):
        found.append("signature algorithm")
    return found


def compression_chosen(address):
    """Offers DEFLATE in a hand-made ClientHello of TLS 1.2; returns the compression method that the server takes."""

    def vector(size, data):
        return len(data).to_bytes(size, "big") + data

    def extension(number, data):
        return struct.pack(">H", number) + vector(2, data)

    suites = bytes.fromhex("c02bc02cc02fc030")
    extensions = (extension(10, vector(2, bytes.fromhex("0017"))) + extension(11, vector(1, b"\0"))
                  + extension(13, vector(2, bytes.fromhex("0403080404010503"))) + extension(16, vector(2, vector(1, b"h2"))))
    hello = b"\x03\x03" + os.urandom(32) + vector(1, b"") + vector(2, suites) + vector(1, b"\x01\x00") + vector(2, extensions)
    with socket.create_connection(address, DEADLINE) as connection:
        connection.sendall(b"\x16\x03\x01" + vector(2, b"\x01" + vector(3, hello)))
        with connection.makefile("rb") as stream:
            kind, _, length = struct.unpack(">BHH", stream.read(5))
            answer = stream.read(length)
    assert (kind, answer[0]) == (22, 2), f"no ServerHello: {kind} {answer[:8].hex()}"
    after_session_id = 4 + 2 + 32 + 1 + answer[4 + 2 + 32]
    return answer[after_session_id + 2]


class TlsScanTest(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="refund-relay-scan-"))
        self.authority = Authority(self.folder)

    def pair(self, rsa=False):
        paths = []
        for name, text in zip(("cert", "key"), self.authority.issue(rsa=rsa)):
            paths.append(os.path.join(self.folder, name))
            with open(paths[-1], "w", encoding="utf-8") as file:
                file.write(text)
        return paths

    def relay(self, rsa=False):
        cert, key = self.pair(rsa)
        return self.enterContext(Relay(*(f"--{door}_tls_cert_file={cert}" for door in DOORS),
                                       *(f"--{door}_tls_key_file={key}" for door in DOORS)))

    @contextlib.contextmanager
    def weak_server(self):
        """openssl's own server, as weak as it can be made; yields its address."""
        cert, key = self.pair(rsa=True)
        server = subprocess.Popen(
            ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", cert, "-key", key, "-cipher", "ALL:@SECLEVEL=0",
             "-min_protocol", "TLSv1", "-client_renegotiation", "-www"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            line = next(line for line in server.stdout if line.startswith("ACCEPT"))
            host, port = line.split()[1].rsplit(":", 1)
            yield host, int(port)
        finally:
            server.kill()
            server.wait()
            server.stdout.close()

    def test_the_scanner_finds_no_weakness_at_any_door(self):
        for rsa in (False, True):
            relay = self.relay(rsa)
            for door in DOORS:
                with self.subTest(door, rsa=rsa):
                    self.assertEqual([], weaknesses(scan(relay.address(door), self.folder)))

    def test_the_scanner_finds_the_weaknesses_of_a_weak_server(self):
        with self.weak_server() as address:
            found = weaknesses(scan(address, self.folder))
        self.assertLessEqual({"tls 1.0: enabled is 1", "tls 1.1: enabled is 1", "renegotiation"}, set(found))
        self.assertTrue([suite for suite in found if suite.startswith("AES128-SHA")], found)  # no forward secrecy
        self.assertTrue([suite for suite in found if suite.startswith("ECDHE-RSA-AES128-SHA")], found)  # no AEAD

    def test_a_scan_of_nothing_is_no_scan(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))  # and does not listen
            self.assertRaises(ScanFailed, scan, unused.getsockname(), self.folder)

    def test_no_door_takes_compression_that_is_offered(self):
        relay = self.relay()
        self.assertEqual([0, 0, 0], [compression_chosen(relay.address(door)) for door in DOORS])

    def test_what_our_doors_refuse_is_not_refused_by_the_client_that_tries(self):
        old = ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
        with self.weak_server() as address:
            self.assertTrue(s_client(address, *old, ca_file=self.authority.cert_file)[0])
            self.assertFalse(
                renegotiation_is_refused(address, ca_file=self.authority.cert_file, after=b"Verify return code")
            )
        relay = self.relay()
        for door in DOORS:
            with self.subTest(door):
                self.assertFalse(
                    s_client(relay.address(door), "-alpn", "h2", *old, ca_file=self.authority.cert_file)[0]
                )


if __name__ == "__main__":
    unittest.main()
