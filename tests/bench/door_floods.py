"""Measures what callers with rights feel of a flood without them, and prints the tables of docs/performance.md.

usage: /usr/bin/python3 tests/bench/door_floods.py FOLDER_OF_THE_BUILD [--rounds N] [--seconds N] [--rate N]

The build is one of `./dev build`, which made the Python stubs, too. Rounds without and with a flood take turns; a ratio
is that of such a pair. The floods run in processes of their own and share the machine's cores with the server and the
one caller that is measured, so that a ratio is an upper bound of what the server does wrong.
"""

import argparse
import http.client
import json
import multiprocessing
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import provenance

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GOOD, WRONG = "g" * 43, "w" * 43
FLOODING_CONNECTIONS = 8
METHOD = "refundrelay.v1.RefundEventService/GetLogInfo"


def discard(connection):
    try:
        while connection.recv(1 << 20):
            pass
    except OSError:
        pass


class WrongCalls:
    """A connection that calls with a wrong token; a new one whenever the server cuts it."""

    def __init__(self, address):
        import raw_h2

        self._h2, self._address = raw_h2, address
        self._block = raw_h2.call_headers(METHOD, ("authorization", f"Bearer {WRONG}"))
        self._open()

    def _open(self):
        self._connection, self._stream = self._h2.connect(self._address), 1
        threading.Thread(target=discard, args=(self._connection,), daemon=True).start()

    def send(self, count):
        piece = b""
        for _ in range(count):
            piece += self._h2.frame(self._h2.HEADERS, self._h2.END_HEADERS, self._stream, self._block)
            piece += self._h2.frame(self._h2.DATA, self._h2.END_STREAM, self._stream, self._h2.message())
            self._stream += 2
        try:
            self._connection.sendall(piece)
        except OSError:
            self._open()


def wrong_tokens(address, rate, stop):
    """Calls with a wrong token, `rate` a second over several connections, whatever the answers."""
    connections = [WrongCalls(address) for _ in range(FLOODING_CONNECTIONS)]
    sent, begin = 0, time.monotonic()
    while not stop.is_set():
        each = (int((time.monotonic() - begin) * rate) - sent) // FLOODING_CONNECTIONS
        if each == 0:
            time.sleep(0.002)
            continue
        for connection in connections:
            connection.send(each)
        sent += each * FLOODING_CONNECTIONS


def client_hello():
    """What a TLS client sends first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def handshakes(address, _, stop):
    """Handshakes that make the server sign and are then dropped: cheap for who sends them."""
    hello = client_hello()
    waiting = []
    while not stop.is_set():
        connection = socket.create_connection(address, 30)
        connection.sendall(hello)
        waiting.append(connection)
        if len(waiting) >= 64:  # in flight at once
            oldest = waiting.pop(0)
            oldest.recv(1)  # the ServerHello: the server has done its work
            oldest.close()
    for connection in waiting:
        connection.close()


class Flood:
    def __init__(self, target, address, rate):
        self.stop = multiprocessing.Event()
        self.process = multiprocessing.Process(target=target, args=(address, rate, self.stop), daemon=True)

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.process.join(30)


def latencies(call, seconds):
    """Milliseconds of calls, one after the other with a rest between them: p50 and p99."""
    found, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.monotonic()
        call()
        found.append((time.monotonic() - begin) * 1e3)
        time.sleep(0.002)
    found.sort()
    return found[len(found) // 2], found[len(found) * 99 // 100]


def pairs(args, calls, flood, counted):
    """Rounds without and with the flood; for each call a list of pairs of (p50, p99), and the floods' own rates."""
    rows, rates = {name: [] for name in calls}, []
    for _ in range(args.rounds):
        quiet = {name: latencies(call, args.seconds) for name, call in calls.items()}
        with flood():
            time.sleep(0.5)  # until it is at its rate
            before, begin = counted(), time.monotonic()
            loud = {name: latencies(call, args.seconds) for name, call in calls.items()}
            rates.append((counted() - before) / (time.monotonic() - begin))
        for name in calls:
            rows[name].append((quiet[name], loud[name]))
    return rows, rates


def spread(values, digits=2):
    return f"{min(values):.{digits}f} | **{statistics.median(values):.{digits}f}** | {max(values):.{digits}f}"


def report(title, rows, rates, unit):
    print(f"\n### {title}\n\n| | unit | min | median | max |\n|---|---|---|---|---|")
    print(f"| {unit} | 1/s | {spread(rates, 0)} |")
    for name, found in rows.items():
        for index, percentile in enumerate(("p50", "p99")):
            print(f"| **{name}, {percentile}, with the flood : without** | ratio "
                  f"| {spread([loud[index] / quiet[index] for quiet, loud in found])} |")
        for index, percentile in enumerate(("p50", "p99")):
            quiet, loud = ([pair[side][index] for pair in found] for side in (0, 1))
            print(f"| {name}, {percentile}, without / with | ms | {min(quiet):.2f} / {min(loud):.2f} "
                  f"| {statistics.median(quiet):.2f} / {statistics.median(loud):.2f} "
                  f"| {max(quiet):.2f} / {max(loud):.2f} |", flush=True)


def token_flood(args, folder):
    import webhooks
    from refundrelay.v1 import refund_event_service_pb2 as service
    from refundrelay.v1 import refund_event_service_pb2_grpc
    from relay import Relay
    from stream import EARLIEST, request
    from test_admin_http import metric

    hashed = subprocess.run([os.path.join(args.build, "bin", "refundctl"), "policy", "hash-token"],
                            input=GOOD + "\n", capture_output=True, text=True, check=True).stdout.strip()
    policy = os.path.join(folder, "policy.json")
    with open(policy, "w", encoding="utf-8") as file:
        json.dump({"subscribers": {"books": {"token_hashes": [hashed], "events": "all"}}}, file)
    with Relay(f"--access_policy_file={policy}") as relay:
        metadata = (("authorization", f"Bearer {GOOD}"),)
        stub = refund_event_service_pb2_grpc.RefundEventServiceStub(relay.channel())
        stream = stub.Subscribe(request(subscriber_name="books", start_from=EARLIEST), metadata=metadata)
        next(stream)
        posts = relay.http()
        number = 0

        def deliver():
            """From the webhook's first byte to its delivery on an open stream."""
            nonlocal number
            number += 1
            body = webhooks.encode(webhooks.webhook(number))
            posts.request("POST", "/webhooks/refund", body, {"Content-Type": "application/json", **webhooks.signed(body)})
            posts.getresponse().read()
            while next(stream).WhichOneof("response") != "batch":
                pass

        rows, rates = pairs(
            args,
            {"GetLogInfo": lambda: stub.GetLogInfo(service.GetLogInfoRequest(), metadata=metadata, timeout=30),
             "webhook to delivery": deliver},
            lambda: Flood(wrong_tokens, relay.address("grpc"), args.rate),
            lambda: metric(relay.admin_get("/metrics")[2], "refund_relay_authentication_total", method="grpc_token",
                           result="wrong"),
        )
        lines = sum("call refused" in line for line in relay.lines)
        stream.cancel()
    report(f"{args.rate} wrong tokens a second, {args.rounds} pairs of rounds of {args.seconds:g} s for each row",
           rows, rates, "wrong tokens refused")
    print(f"\n{lines} lines of the log told of refused calls.")


def handshake_flood(args, folder):
    import webhooks
    from authority import Authority
    from relay import Relay
    from test_admin_http import metric

    authority = Authority(folder)
    paths = [os.path.join(folder, name) for name in ("tls.crt", "tls.key")]
    for path, text in zip(paths, authority.issue(rsa=True)):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    context = ssl.create_default_context(cafile=authority.cert_file)
    with Relay(f"--http_tls_cert_file={paths[0]}", f"--http_tls_key_file={paths[1]}") as relay:
        number = 0

        def post(connection):
            nonlocal number
            number += 1
            body = webhooks.encode(webhooks.webhook(number))
            connection.request("POST", "/webhooks/refund", body,
                               {"Content-Type": "application/json", **webhooks.signed(body)})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"a webhook was answered {answer.status}")

        def connect(source):
            return http.client.HTTPSConnection(*relay.address("http"), timeout=30, context=context,
                                               source_address=(source, 0))

        kept = connect("127.0.0.2")

        def on_a_new_connection():
            own = connect("127.0.0.2")
            post(own)
            own.close()

        rows, rates = pairs(
            args, {"webhook on an open connection": lambda: post(kept), "webhook on a new one": on_a_new_connection},
            lambda: Flood(handshakes, relay.address("http"), args.rate),
            lambda: metric(relay.admin_get("/metrics")[2], "refund_relay_http_tls_handshakes_total", result="failed"),
        )
    report(f"TLS handshakes (RSA 2048) as fast as they go, {args.rounds} pairs of rounds of {args.seconds:g} s", rows,
           rates, "handshakes that were begun and dropped")


def main():
    parser = argparse.ArgumentParser(description="Floods at the doors.")
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rate", type=int, default=10_000)
    args = parser.parse_args()
    args.build = os.path.abspath(args.build)
    os.environ["REFUND_RELAY_BIN"] = os.path.join(args.build, "bin")
    sys.path[:0] = [os.path.join(ROOT, "tests", "interop"), os.path.join(args.build, "tests", "interop", "gen")]
    print(f"- machine: {provenance.machine()}; {provenance.load()}")
    print(f"- commit: {provenance.commit()}; build {os.path.basename(args.build)}")
    multiprocessing.set_start_method("spawn")
    with tempfile.TemporaryDirectory(prefix="refund-relay-floods-") as folder:
        token_flood(args, folder)
        handshake_flood(args, folder)


if __name__ == "__main__":
    main()
