"""Bad input over raw sockets: each answer of the contract's table that a sender can bring about, and the server goes on
serving after each. (401 is in test_authentication.py; 500, 503 for a failed log and 504 need a log that fails, which
tests/unit/ingress has.)"""

import json
import socket
import unittest

import webhooks
from raw_http import read_answer, webhook_request
from relay import DEADLINE, Relay
from stream import event_ids

GOOD = webhooks.encode(webhooks.webhook(1))


def with_amount(text):
    return GOOD.replace(b'"amount":1,', b'"amount":' + text + b",")


def nested(depth):
    return GOOD[:-1] + b',"deep":' + b"[" * depth + b"]" * depth + b"}"


# Authentic, but not JSON by the contract's rules.
NOT_JSON = {
    "malformed": b'{"event":',
    "empty": b"",
    "duplicate keys": GOOD[:-1] + b',"event":"refunded.pass"}',
    "raw NUL": GOOD + b"\0",
    "lone surrogate, escaped": GOOD.replace(b'"entity":"event"', b'"entity":"\\udc00"'),
    "lone surrogate, raw": GOOD.replace(b'"entity":"event"', b'"entity":"\xed\xb0\x80"'),
    "invalid UTF-8": GOOD.replace(b'"entity":"event"', b'"entity":"\xff"'),
    "byte-order mark": b"\xef\xbb\xbf" + GOOD,
    "something after the value": GOOD + b" x",
    "nested too deep": nested(64),
    "nested very deep": nested(20000),
    "leading zero": with_amount(b"01"),
}

# JSON, but not a refund event that can be kept exactly.
NOT_A_REFUND_EVENT = {
    "an array": b"[]",
    "no event": json.dumps({"payload": {}}).encode(),
    "another event": GOOD.replace(b'"event":"refunded.pass"', b'"event":"paid.pass"'),
    "event is a number": GOOD.replace(b'"event":"refunded.pass"', b'"event":7'),
    "amount is a string": with_amount(b'"1"'),
    "amount is negative": with_amount(b"-1"),
    "amount too fine": with_amount(b"1.0000000001"),
    "amount too large": with_amount(b"9223372036854775808"),
    "huge exponent": with_amount(b"1e400"),
    "310 digits": with_amount(b"1" * 310),
    "absurd exponent": with_amount(b"1e999999999"),
    "no currency": GOOD.replace(b'"currency":"INR",', b""),
    "currency of two letters": GOOD.replace(b'"currency":"INR"', b'"currency":"IN"'),
    "no refund": GOOD.replace(b'"refund":{', b'"other":{'),
    "empty refund id": GOOD.replace(b'"_id":"' + b"%024x" % 1 + b'"', b'"_id":""'),
}


def json_problem(test, status, headers, body):
    test.assertEqual("application/problem+json", headers["content-type"].split(";")[0])
    problem = json.loads(body)
    test.assertEqual(status, problem["status"])
    test.assertTrue(problem["title"])
    test.assertTrue(problem["detail"])
    return problem


class BadInputTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.relay = cls.enterClassContext(Relay())
        cls.good_number = 1000

    def exchange(self, raw, half_close=False):
        with socket.create_connection(self.relay.address("http"), DEADLINE) as connection:
            connection.sendall(raw)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            return read_answer(connection.makefile("rb"))

    def refused(self, status, raw, closes=None):
        before = event_ids(self.relay)
        got, headers, body = self.exchange(raw)
        self.assertEqual(status, got, body)
        json_problem(self, status, headers, body)
        if closes:
            self.assertEqual("close", headers.get("connection", "").lower())
        self.assertEqual(before, event_ids(self.relay))
        # It still serves.
        BadInputTest.good_number += 1
        self.assertEqual("accepted", webhooks.send(self.relay, webhooks.webhook(self.good_number))["status"])
        return headers

    def test_not_json_is_400(self):
        for name, body in NOT_JSON.items():
            with self.subTest(name):
                self.refused(400, webhook_request(body))

    def test_not_a_refund_event_is_422(self):
        for name, body in NOT_A_REFUND_EVENT.items():
            with self.subTest(name):
                self.refused(422, webhook_request(body))

    def test_the_limit_of_nesting_is_64(self):
        body = nested(63).replace(b"%024x" % 1, b"%024x" % 999)
        status, _, answer = self.exchange(webhook_request(body))
        self.assertEqual(200, status, answer)

    def test_where_and_how(self):
        self.refused(404, webhook_request(GOOD, target="/webhooks"))
        for method in ("GET", "PUT", "DELETE"):
            headers = self.refused(405, webhook_request(GOOD, method=method))
            self.assertEqual("POST", headers["allow"])
        self.refused(411, webhook_request(b"", length=False))
        self.refused(417, webhook_request(GOOD, "Expect: a-miracle"))
        self.refused(415, webhook_request(GOOD, "Content-Encoding: gzip"))
        plain = webhook_request(GOOD).replace(b"application/json;charset=utf-8", b"text/plain")
        self.refused(415, plain)
        latin = webhook_request(GOOD).replace(b"charset=utf-8", b"charset=latin-1")
        self.refused(415, latin)

    def test_a_query_and_no_type_are_fine(self):
        body = webhooks.encode(webhooks.webhook(998))
        raw = webhook_request(body, target="/webhooks/refund?source=vendor")
        raw = raw.replace(b"Content-Type: application/json;charset=utf-8\r\n", b"")
        status, _, answer = self.exchange(raw)
        self.assertEqual(200, status, answer)

    def test_too_large(self):
        body = GOOD + b" " * 65536
        self.refused(413, webhook_request(body), closes=True)
        sign = f"X-Conscent-Signature: {webhooks.signature(body)}"
        chunked = webhook_request(b"", "Transfer-Encoding: chunked", sign, length=False, signature=False)
        self.refused(413, chunked + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n", closes=True)

    def test_header_too_large(self):
        self.refused(431, webhook_request(GOOD, "X-Long: " + "x" * 9000), closes=True)

    def test_too_slow_is_408(self):
        # The rest of the body never comes; the server waits for its fixed 10 s.
        self.refused(408, webhook_request(GOOD)[:-1], closes=True)

    def test_too_many_is_429(self):
        with Relay("--max_webhooks_per_second=1") as relay:
            bodies = [webhooks.encode(webhooks.webhook(n)) for n in range(20)]
            with socket.create_connection(relay.address("http"), DEADLINE) as connection:
                connection.sendall(b"".join(webhook_request(body) for body in bodies))
                stream = connection.makefile("rb")
                answers = [read_answer(stream) for _ in bodies]
            statuses = [status for status, _, _ in answers]
            self.assertEqual(200, statuses[0])
            self.assertEqual({200, 429}, set(statuses))
            for status, headers, body in answers:
                if status == 429:
                    json_problem(self, status, headers, body)
                    self.assertGreater(int(headers["retry-after"]), 0)
            self.assertEqual(statuses.count(200), len(event_ids(relay)))

    def test_too_many_connections_is_503(self):
        with Relay("--max_http_connections=1") as relay:
            with socket.create_connection(relay.address("http"), DEADLINE) as first:
                stream = first.makefile("rb")
                first.sendall(webhook_request(GOOD))
                self.assertEqual(200, read_answer(stream)[0])
                with socket.create_connection(relay.address("http"), DEADLINE) as second:
                    status, headers, body = read_answer(second.makefile("rb"))
                    self.assertEqual(503, status)
                    json_problem(self, status, headers, body)
                    self.assertGreater(int(headers["retry-after"]), 0)
                    self.assertEqual("close", headers["connection"].lower())
                first.sendall(webhook_request(GOOD))
                self.assertEqual("duplicate", json.loads(read_answer(stream)[2])["status"])

    def test_chunked_is_fine(self):
        body = webhooks.encode(webhooks.webhook(997))
        raw = webhook_request(b"", f"X-Conscent-Signature: {webhooks.signature(body)}", "Transfer-Encoding: chunked",
                              length=False, signature=False)
        status, _, answer = self.exchange(raw + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")
        self.assertEqual(200, status, answer)

    def test_expect_100_continue(self):
        body = webhooks.encode(webhooks.webhook(996))
        raw = webhook_request(body, "Expect: 100-continue")
        with socket.create_connection(self.relay.address("http"), DEADLINE) as connection:
            connection.sendall(raw[: -len(body)])
            stream = connection.makefile("rb")
            self.assertEqual(100, read_answer(stream)[0])
            connection.sendall(body)
            self.assertEqual(200, read_answer(stream)[0])
            # A request that the header condemns gets its answer instead of "continue".
        with socket.create_connection(self.relay.address("http"), DEADLINE) as connection:
            raw = webhook_request(GOOD, "Expect: 100-continue", signature=False)
            connection.sendall(raw[: -len(GOOD)])
            self.assertEqual(401, read_answer(connection.makefile("rb"))[0])

    def test_smuggling_shapes_are_400_and_close(self):
        length = f"Content-Length: {len(GOOD)}"
        chunk = b"%x\r\n" % len(GOOD) + GOOD + b"\r\n0\r\n\r\n"
        bare = {"length": False}
        sign = f"X-Conscent-Signature: {webhooks.signature(GOOD)}"

        def shape(*headers, body=GOOD):
            return webhook_request(b"", sign, *headers, signature=False, **bare) + body

        for name, raw in {
            "length then chunked": shape(length, "Transfer-Encoding: chunked", body=chunk),
            "chunked then length": shape("Transfer-Encoding: chunked", length, body=chunk),
            "two equal lengths": shape(length, length),
            "two different lengths": shape(length, "Content-Length: 3"),
            "a list of lengths": shape(f"Content-Length: {len(GOOD)}, {len(GOOD)}"),
            "xchunked": shape("Transfer-Encoding: xchunked", body=chunk),
            "chunked, gzip": shape("Transfer-Encoding: chunked, gzip", body=chunk),
            "gzip, chunked": shape("Transfer-Encoding: gzip, chunked", body=chunk),
            "chunked twice": shape("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=chunk),
            "chunked on HTTP/1.0": shape("Transfer-Encoding: chunked", body=chunk).replace(b"HTTP/1.1", b"HTTP/1.0"),
            "two hosts": shape(length, "Host: another"),
            "not HTTP": b"\x16\x03\x01\x02\x00\r\n\r\n",
        }.items():
            with self.subTest(name):
                self.refused(400, raw, closes=True)

    def test_keep_alive_survives_a_refusal_of_a_whole_request(self):
        with socket.create_connection(self.relay.address("http"), DEADLINE) as connection:
            stream = connection.makefile("rb")
            connection.sendall(webhook_request(b"{}"))
            self.assertEqual(422, read_answer(stream)[0])
            connection.sendall(webhook_request(webhooks.encode(webhooks.webhook(995))))
            self.assertEqual(200, read_answer(stream)[0])


if __name__ == "__main__":
    unittest.main()
