"""Long streams through nginx and HAProxy, as deploy/proxies configures them: idle ones live by their heartbeats, dead
ones are noticed and go on elsewhere.

The proxies' time-outs of 60 s and the heartbeat interval of 15 s become 4 s and 1 s; with REFUND_RELAY_LONG set the
streams stay idle for ten minutes with the times as they are.
"""

import concurrent.futures
import contextlib
import http.client
import json
import os
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

import grpc
from google.protobuf import duration_pb2
from refundrelay.v1 import refund_event_service_pb2_grpc

import webhooks
from authority import Authority
from proxies import MUTUAL_TLS, PLAIN, TLS, WEBHOOKS, Proxy
from relay import BIN, DEADLINE, SANITIZE, Relay
from stream import LATEST, Stream, request

LONG = bool(os.environ.get("REFUND_RELAY_LONG"))
SHORT_TIMEOUT = 8 if SANITIZE else 4
IDLE_TIMEOUT = 60 if LONG else SHORT_TIMEOUT  # of the proxies
HEARTBEAT = 15 if LONG else 1
HEARTBEATS = 40 if LONG else 3 * IDLE_TIMEOUT  # ten minutes; or three time-outs
PATIENCE = DEADLINE + 2 * HEARTBEATS * HEARTBEAT


class ProxiesCase(unittest.TestCase):
    """Both proxies before two servers, one of them with mutual TLS."""

    idle_timeout = None  # of the proxies, in seconds

    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="refund-relay-proxies-"))
        cls.authority = authority = Authority(folder)
        paths = {}
        for name, pair in (("server", authority.issue()), ("client", authority.issue("DNS:books.internal"))):
            for end, text in zip(("crt", "key"), pair):
                paths[name, end] = os.path.join(folder, f"{name}.{end}")
                with open(paths[name, end], "w", encoding="utf-8") as file:
                    file.write(text)
        cls.paths = paths
        cls.plain = cls.enterClassContext(Relay("--max_stream_age=0"))
        cls.mutual = cls.enterClassContext(Relay(
            "--max_stream_age=0", f"--grpc_tls_cert_file={paths['server', 'crt']}",
            f"--grpc_tls_key_file={paths['server', 'key']}", f"--grpc_tls_client_ca_file={authority.cert_file}"))
        cls.proxies = [
            cls.enterClassContext(Proxy(kind, number, folder, cls.plain, cls.mutual, authority.issue(), cls.idle_timeout))
            for number, kind in enumerate(("nginx", "haproxy"), 1)
        ]
        cls.ways = [(proxy, port) for proxy in cls.proxies for port in (PLAIN, TLS, MUTUAL_TLS)]

    def stub(self, proxy, port):
        address, options = f"{proxy.host}:{port}", [("grpc.use_local_subchannel_pool", 1)]
        if port == PLAIN:
            channel = grpc.insecure_channel(address, options)
        else:
            files = ([self.paths["client", "key"], self.paths["client", "crt"]] if port == MUTUAL_TLS else [])
            own = []
            for path in files:
                with open(path, "rb") as file:
                    own.append(file.read())
            credentials = grpc.ssl_channel_credentials(self.authority.pem.encode(), *own)
            channel = grpc.secure_channel(address, credentials, [*options, ("grpc.ssl_target_name_override", "localhost")])
        self.addCleanup(channel.close)
        return refund_event_service_pb2_grpc.RefundEventServiceStub(channel)

    def subscribe(self, way, heartbeat):
        stream = Stream(self.stub(*way), request(
            subscriber_name="idle", start_from=LATEST, heartbeat_interval=duration_pb2.Duration(seconds=heartbeat),
        ), timeout=PATIENCE)
        self.addCleanup(stream.cancel)
        stream.read_until("caught_up")
        return stream

    def name(self, way):
        return f"{way[0].kind}, {({PLAIN: 'h2c', TLS: 'TLS ends there', MUTUAL_TLS: 'mutual TLS passes'})[way[1]]}"


class WithoutHeartbeatsTest(ProxiesCase):
    idle_timeout = SHORT_TIMEOUT

    def test_a_stream_is_cut(self):
        def silent(way):
            stream = self.subscribe(way, 30)
            with contextlib.suppress(grpc.RpcError):
                return stream.read()
            return "cut"

        with concurrent.futures.ThreadPoolExecutor(len(self.ways)) as threads:
            self.assertEqual(["cut"] * len(self.ways), list(threads.map(silent, self.ways)))


class ProxiesTest(ProxiesCase):
    idle_timeout = IDLE_TIMEOUT

    def test_an_idle_stream_lives_by_its_heartbeats(self):
        def idle(way):
            stream = self.subscribe(way, HEARTBEAT)
            begun = time.monotonic()
            for _ in range(HEARTBEATS):
                kind, _ = stream.read()
                self.assertEqual("heartbeat", kind)
            return stream, time.monotonic() - begun

        with concurrent.futures.ThreadPoolExecutor(len(self.ways)) as threads:
            streams = list(threads.map(idle, self.ways))
        sent = [webhooks.send(relay, webhooks.webhook(1))["event_id"] for relay in (self.plain, self.mutual)]
        self.assertEqual(sent[0], sent[1])
        for way, (stream, seconds) in zip(self.ways, streams):
            with self.subTest(self.name(way)):
                print(f"{self.name(way)}: idle for {seconds:.0f} s, time-out {IDLE_TIMEOUT} s", flush=True)
                self.assertGreater(seconds, 2 * IDLE_TIMEOUT)
                self.assertEqual(sent[:1], stream.read_events(1))

    def test_a_proxy_that_drops_in_silence_is_noticed_and_left(self):
        nginx, haproxy = self.proxies
        self.freeze_and_see(nginx, 100)
        self.freeze_and_see(haproxy, 200)

    def freeze_and_see(self, proxy, number):
        other = next(another for another in self.proxies if another is not proxy)
        command = [
            # With two addresses, a name has to stand in the request: newer HAProxys take no list as its authority.
            os.path.join(BIN, "refundctl"), f"--address=ipv4:{proxy.host}:{TLS},{other.host}:{TLS}", "--output=json",
            f"--ca_file={self.authority.cert_file}", "--server_name=localhost",
            "tail", "--name=silent", "--from=latest", "--heartbeat-interval=1s",
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tail:
            guard = threading.Timer(PATIENCE, tail.kill)
            guard.start()
            try:
                notices = (json.loads(line) for line in tail.stderr)
                self.until(notices, "caught_up")
                proxy.freeze()
                frozen = time.monotonic()
                ids = webhooks.send_many(self.plain, number, 3)
                reconnect = self.until(notices, "reconnect")
                self.assertIn("nothing came from the server for 3s: the stream is dead", reconnect["text"])
                noticed = time.monotonic()
                # The very next stream starts: none is opened on the connection that is known to be dead.
                seen = []
                self.until(notices, "started", seen)
                self.assertEqual(["started"], seen)
                print(f"{proxy.kind} frozen: noticed after {noticed - frozen:.1f} s, resumed after "
                      f"{time.monotonic() - frozen:.1f} s", flush=True)
                ids += webhooks.send_many(self.plain, number + 3, 3)
                received = [json.loads(next(tail.stdout))["event"]["event_id"] for _ in ids]
                self.assertEqual(ids, received)
            finally:
                guard.cancel()
                proxy.go_on()
                tail.terminate()

    def until(self, notices, kind, seen=None):
        passed = []
        for notice in notices:
            passed.append(notice)
            if seen is not None:
                seen.append(notice["kind"])
            if notice["kind"] == kind:
                return notice
        return self.fail(f"refundctl ended before {kind}, after {passed}")

    def test_webhooks_pass_byte_for_byte(self):
        body = webhooks.sample_body(webhooks.SUBSCRIPTION)
        trust = ssl.create_default_context(cafile=self.authority.cert_file)
        trust.check_hostname = False
        for proxy in self.proxies:
            with self.subTest(proxy.kind):
                connection = http.client.HTTPSConnection(proxy.host, WEBHOOKS, timeout=DEADLINE, context=trust)
                self.addCleanup(connection.close)
                headers = {"Content-Type": "application/json", "X-Request-Id": "theirs", **webhooks.signed(body)}
                connection.request("POST", "/webhooks/refund?from=vendor", body, headers)
                answer = connection.getresponse()
                self.assertEqual(200, answer.status, answer.read())
                # The one that the log has, whatever the request carried.
                request_id = answer.headers["X-Request-Id"]
                self.assertNotEqual("theirs", request_id)
                answer.read()
                self.plain.wait_for_line(lambda line: line.get("request_id") == request_id)
                connection.request("GET", "/elsewhere")
                self.assertEqual(404, connection.getresponse().status)


if __name__ == "__main__":
    unittest.main()
