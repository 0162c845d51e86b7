"""Tokens of Kubernetes service accounts, made by an independent library (PyJWT), against a running server whose keys come
from a file or from a real HTTPS server that plays the API server."""

import http.server
import json
import os
import shutil
import ssl
import subprocess
import threading
import time
import unittest

import grpc
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from refundrelay.v1 import refund_event_service_pb2 as service

import webhooks
from authority import Authority
from certificates import SecretVolume
from relay import BIN, DEADLINE, SANITIZE, Relay, run_to_end
from stream import EARLIEST, RichError, Stream, error_of, request

ISSUER = "https://kubernetes.default.svc.cluster.local"
AUTHENTICATIONS = "refund_relay_authentication_total"
RELOADED = "refund_relay_config_last_reload_successful"
REJECTED = (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_REJECTED")
NOT_YET = (grpc.StatusCode.UNAVAILABLE, "TOKEN_KEYS_UNAVAILABLE")
POLICY = json.dumps({"subscribers": {"books": {"service_accounts": ["payments/books"], "events": "all"}}})


class Key:
    """A signing key of the cluster."""

    def __init__(self, key_id, algorithm="RS256"):
        self.id = key_id
        self.algorithm = algorithm
        if algorithm.startswith("ES"):
            self.private = ec.generate_private_key(ec.SECP384R1() if algorithm == "ES384" else ec.SECP256R1())
            self._kind = jwt.algorithms.ECAlgorithm
        else:
            self.private = rsa.generate_private_key(65537, 2048)
            self._kind = jwt.algorithms.RSAAlgorithm

    def jwk(self):
        if self._kind is jwt.algorithms.RSAAlgorithm:
            return {**json.loads(self._kind.to_jwk(self.private.public_key())), "kid": self.id, "use": "sig",
                    "alg": self.algorithm}
        numbers = self.private.public_key().public_numbers()
        length = (self.private.curve.key_size + 7) // 8
        x, y = (jwt.utils.base64url_encode(number.to_bytes(length, "big")).decode() for number in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": f"P-{self.private.curve.key_size}", "x": x, "y": y, "kid": self.id}

    def token(self, life=3600, **changes):
        """A token as the kubelet projects it; `changes` replace claims, None leaves one out."""
        now = int(time.time())
        claims = {"aud": ["refund-relay"], "exp": now + life, "iat": now - 1, "nbf": now - 1, "iss": ISSUER,
                  "sub": "system:serviceaccount:payments:books",
                  "kubernetes.io": {"namespace": "payments", "serviceaccount": {"name": "books", "uid": "u"}}, **changes}
        return jwt.encode({name: value for name, value in claims.items() if value is not None}, self.private,
                          algorithm=self.algorithm, headers={"kid": self.id})


def key_set(*keys):
    return json.dumps({"keys": [key.jwk() for key in keys]})


class KeyServer:
    """Serves a key set over HTTPS, as the API server does at /openid/v1/jwks, and remembers who asked."""

    PATH = "/openid/v1/jwks"

    def __init__(self, folder, authority, body, names="DNS:localhost,IP:127.0.0.1", port=0):
        self.body = body
        self.answer = 200
        self.headers = {}
        self.authorizations = []
        self._changed = threading.Condition()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                with outer._changed:
                    outer.authorizations.append(self.headers.get("Authorization"))
                    outer._changed.notify_all()
                    status, headers, body = outer.answer, outer.headers, outer.body.encode()
                self.send_response(status if self.path == outer.PATH else 404)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/jwk-set+json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        cert, key = authority.issue(names)
        pem = os.path.join(folder, "key-server.pem")
        with open(pem, "w", encoding="utf-8") as file:
            file.write(cert + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._server.handle_error = lambda *_: None
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def url(self):
        return f"https://localhost:{self.port}{self.PATH}"

    def await_requests(self, count):
        end = time.monotonic() + DEADLINE
        with self._changed:
            while len(self.authorizations) < count:
                assert self._changed.wait(max(0, end - time.monotonic())), (count, self.authorizations)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class ServiceAccountRelay(Relay):
    def __init__(self, *flags, policy=POLICY):
        super().__init__()
        self.flags = [f"--access_policy_file={self.write_file('policy', policy)}",
                      f"--service_account_issuer={ISSUER}", *flags]

    def info(self, token):
        return self.events().GetLogInfo(service.GetLogInfoRequest(), timeout=DEADLINE,
                                        metadata=[("authorization", "Bearer " + token)])

    def refusal(self, token):
        error = error_of(self.info, token)
        return error.code, error.reason

    def refusal_or_none(self, token):
        try:
            self.info(token)
        except grpc.RpcError as error:
            rich = RichError(error)
            return rich.code, rich.reason
        return None

    def await_accepted(self, token):
        """Calls until the token is accepted; every refusal on the way must be one that says: try again."""
        end = time.monotonic() + DEADLINE
        while (refusal := self.refusal_or_none(token)) is not None:
            assert refusal == NOT_YET, refusal
            assert time.monotonic() < end, self.tail()
            time.sleep(0.05)  # between looks, not for it to have happened

    def subscribe(self, token, **fields):
        return Stream(self.events(), request(subscriber_name="books", start_from=EARLIEST, **fields), token=token)

    def metric_is(self, sample):
        end = time.monotonic() + DEADLINE
        while sample not in self.admin_get("/metrics")[2]:
            assert time.monotonic() < end, sample
            time.sleep(0.02)  # between looks

    def count_lines(self, text):
        return sum(text in line for line in self.lines)

    def await_more_lines(self, text, before):
        end = time.monotonic() + DEADLINE
        while self.count_lines(text) <= before:
            assert time.monotonic() < end, self.tail()
            time.sleep(0.02)  # between looks


class KeyFileTest(unittest.TestCase):
    def setUp(self):
        self.keys = {name: Key(name, name) for name in ("RS256", "PS256", "ES256", "ES384")}
        self.relay = ServiceAccountRelay()
        self.relay.flags.append(f"--service_account_jwks_file={self.write(*self.keys.values())}")
        self.enterContext(self.relay)

    def write(self, *keys):
        return self.relay.write_file("jwks", key_set(*keys))

    def test_tokens_of_an_independent_maker_are_accepted(self):
        webhooks.send(self.relay, webhooks.webhook(1))
        for key in self.keys.values():
            self.assertEqual(1, self.relay.info(key.token()).last_sequence, key.id)
            self.assertEqual(1, len(self.relay.subscribe(key.token()).read_events(1)), key.id)
        self.relay.metric_is(f'{AUTHENTICATIONS}{{key="books",method="grpc_service_account",result="authentic"}} 8\n')

    def test_every_wrong_token_is_refused_and_none_is_shown(self):
        key = self.keys["RS256"]
        now = int(time.time())
        wrong = {
            "issuer": key.token(iss=ISSUER + "/"), "no issuer": key.token(iss=None),
            "audience": key.token(aud=["secret-audience"]), "no audience": key.token(aud=None),
            "expired": key.token(exp=now - 61), "no expiry": key.token(exp=None),
            "not yet": key.token(nbf=now + 120), "of tomorrow": key.token(iat=now + 86400),
            "another account": key.token(sub="system:serviceaccount:payments:ledger"),
            "no service account": key.token(sub="books"),
            "another namespace": key.token(sub="system:serviceaccount:default:books"),
            "another key": Key("RS256").token(),
            "unknown key": Key("RS257").token(),
            "none": jwt.encode({**jwt.decode(key.token(), options={"verify_signature": False})}, None, algorithm="none",
                               headers={"kid": "RS256"}),
            "shared secret": jwt.encode({**jwt.decode(key.token(), options={"verify_signature": False})},
                                        key_set(key), algorithm="HS256", headers={"kid": "RS256"}),
            "too long": key.token(padding="x" * 6500),
            "too long for a call": key.token(padding="x" * 15000),
        }
        for what, token in wrong.items():
            with self.subTest(what):
                if what == "too long for a call":
                    self.assertEqual(grpc.StatusCode.RESOURCE_EXHAUSTED, error_of(self.relay.info, token).code)
                else:
                    self.assertEqual(REJECTED, self.relay.refusal(token))
        seen = "\n".join(self.relay.lines) + self.relay.admin_get("/metrics")[2]
        for token in wrong.values():
            for part in token.split("."):
                self.assertFalse(part and part in seen, part)
        for claim in ("payments", "ledger", "secret-audience", ISSUER):
            self.assertNotIn(claim, seen)

    def test_a_changed_file_is_taken_and_a_broken_one_is_not(self):
        old, new = self.keys["ES256"], Key("new", "ES256")
        stream = self.relay.subscribe(old.token())
        stream.read_until("caught_up")
        self.assertEqual(REJECTED, self.relay.refusal(new.token()))
        sample = f'{RELOADED}{{file="{self.relay.folder}/jwks"}}'
        self.relay.metric_is(sample + " 1\n")
        self.relay.write_file("jwks", key_set(new)[:-1])
        line = self.relay.wait_for_line(lambda record: "keys of service accounts NOT read" in record["message"])
        self.assertEqual("error", line["level"])
        self.relay.metric_is(sample + " 0\n")
        self.relay.info(old.token())
        before = self.relay.count_lines('"keys of service accounts read"')
        self.write(new, old)
        self.relay.await_more_lines('"keys of service accounts read"', before)
        self.relay.info(new.token())
        self.relay.metric_is(sample + " 1\n")
        before = self.relay.count_lines('"keys of service accounts read"')
        self.write(new)
        self.relay.await_more_lines('"keys of service accounts read"', before)
        self.assertEqual("POLICY_CHANGED", stream.read_until("going_away").reason)
        self.assertEqual(REJECTED, self.relay.refusal(old.token()))
        self.relay.info(new.token())


class KeyUrlTest(unittest.TestCase):
    def setUp(self):
        self.relay = ServiceAccountRelay()
        self.folder = self.relay.folder
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.authority = Authority(self.folder)
        self.first, self.second = Key("first", "ES256"), Key("second", "ES256")

    def start(self, server, ca_file=None, token_file=None, wait=True):
        self.server = server
        self.relay.flags += [f"--service_account_jwks_url={server.url}",
                             f"--service_account_jwks_ca_file={ca_file or self.authority.cert_file}"]
        if token_file:
            self.relay.flags.append(f"--service_account_jwks_token_file={token_file}")
        self.enterContext(self.relay)
        self.reloaded = f'{RELOADED}{{file="{server.url}"}}'

    def key_server(self, *keys, **options):
        return self.enterContext(KeyServer(self.folder, options.pop("authority", self.authority), key_set(*keys), **options))

    def test_keys_are_there_when_the_server_is_ready(self):
        self.start(self.key_server(self.first))
        self.relay.info(self.first.token())
        self.assertEqual([None], self.server.authorizations)
        self.relay.metric_is(self.reloaded + " 1\n")

    def test_the_fetch_carries_the_servers_own_token_read_anew(self):
        volume = SecretVolume(self.folder)
        (path,) = volume.put(token="token-of-the-relay-1\n")
        self.start(self.key_server(self.first), token_file=path)
        self.assertEqual(["Bearer token-of-the-relay-1"], self.server.authorizations)
        volume.put(token="token-of-the-relay-2")
        self.assertEqual(NOT_YET, self.relay.refusal(self.second.token()))
        self.server.await_requests(2)
        self.assertEqual("Bearer token-of-the-relay-2", self.server.authorizations[1])
        self.assertNotIn("token-of-the-relay", "\n".join(self.relay.lines) + self.relay.admin_get("/metrics")[2])

    def test_a_rotated_key_is_fetched_when_a_token_names_it(self):
        self.start(self.key_server(self.first))
        stream = self.relay.subscribe(self.first.token())
        stream.read_until("caught_up")
        self.server.body = key_set(self.second, self.first)
        self.relay.await_accepted(self.second.token())
        self.relay.info(self.first.token())
        self.assertEqual(2, len(self.server.authorizations))
        webhooks.send(self.relay, webhooks.webhook(1))
        self.assertEqual(1, len(stream.read_events(1)))

    def test_a_flood_of_unknown_keys_is_no_flood_of_fetches(self):
        self.start(self.key_server(self.first))
        began = time.monotonic()
        unknown = Key("unknown", "ES256")
        for number in range(100):
            unknown.id = f"unknown-{number}"
            self.assertIn(self.relay.refusal(unknown.token()), (NOT_YET, REJECTED))
        self.server.await_requests(2)
        # One of the start, one at once, then one in ten seconds.
        self.assertLessEqual(len(self.server.authorizations), 2 + (time.monotonic() - began) // 10)
        self.relay.info(self.first.token())

    def test_a_key_that_a_fetch_does_not_bring_is_refused(self):
        self.start(self.key_server(self.first))
        token = self.second.token()
        self.assertEqual(NOT_YET, self.relay.refusal(token))
        end = time.monotonic() + DEADLINE
        while (refusal := self.relay.refusal(token)) == NOT_YET:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)  # between looks
        self.assertEqual(REJECTED, refusal)

    def test_without_keys_the_server_starts_and_fails_closed_until_they_come(self):
        server = self.key_server(self.first)
        server.answer = 503
        self.start(server)
        self.assertEqual(NOT_YET, self.relay.refusal(self.first.token()))
        self.assertEqual(REJECTED, self.relay.refusal(self.first.token(aud=["other"])))
        self.assertEqual("accepted", webhooks.send(self.relay, webhooks.webhook(1))["status"])
        line = self.relay.wait_for_line(lambda record: "keys of service accounts NOT fetched" in record["message"])
        self.assertEqual(("error", server.url), (line["level"], line["url"]))
        self.assertIn("the answer was 503", line["cause"])
        self.relay.metric_is(self.reloaded + " 0\n")
        server.answer = 200
        self.relay.await_accepted(self.first.token())
        self.relay.metric_is(self.reloaded + " 1\n")

    def test_what_cannot_be_fetched_or_read_keeps_the_old_keys(self):
        for change, cause in (({"body": "{}"}, "is no set of JSON Web Keys"),
                              ({"body": '{"keys":[]}'}, "holds no key that can be used"),
                              ({"body": key_set(self.second)[:-1]}, "is not JSON"),
                              ({"body": "x" * (300 << 10)}, "body limit exceeded"),
                              ({"answer": 403}, "system:service-account-issuer-discovery"),
                              ({"answer": 302, "headers": {"Location": "/other"}}, "redirections are not followed")):
            with self.subTest(cause), KeyServer(self.folder, self.authority, key_set(self.first)) as server:
                with ServiceAccountRelay(f"--service_account_jwks_url={server.url}",
                                         f"--service_account_jwks_ca_file={self.authority.cert_file}") as relay:
                    self.check_a_bad_answer(relay, server, change, cause)

    def check_a_bad_answer(self, relay, server, change, cause):
        reloaded = f'{RELOADED}{{file="{server.url}"}}'
        for name, value in change.items():
            setattr(server, name, value)
        self.assertEqual(NOT_YET, relay.refusal(self.second.token()))
        line = relay.wait_for_line(
            lambda record: "NOT fetched; those that were fetched before stay in force" in record["message"])
        self.assertIn(cause, line["cause"])
        relay.metric_is(reloaded + " 0\n")
        relay.info(self.first.token())
        server.body, server.answer = key_set(self.second), 200
        relay.await_accepted(self.second.token())
        relay.metric_is(reloaded + " 1\n")

    def test_a_server_that_went_away_leaves_the_old_keys(self):
        self.start(self.key_server(self.first))
        self.server.__exit__()
        self.assertEqual(NOT_YET, self.relay.refusal(self.second.token()))
        self.relay.metric_is(self.reloaded + " 0\n")
        self.relay.info(self.first.token())
        again = self.enterContext(KeyServer(self.folder, self.authority, key_set(self.second), port=self.server.port))
        self.relay.await_accepted(self.second.token())
        self.assertTrue(again.authorizations)

    def test_a_server_of_another_authority_or_name_is_not_believed(self):
        others = Authority(self.folder, "others")
        for what, server in (("authority", self.key_server(self.first, authority=others)),
                             ("name", self.key_server(self.first, names="DNS:elsewhere"))):
            with self.subTest(what):
                self.relay = ServiceAccountRelay()
                self.start(server)
                self.assertEqual(NOT_YET, self.relay.refusal(self.first.token()))
                line = self.relay.wait_for_line(lambda record: "NOT fetched" in record["message"])
                self.assertIn("certificate verify failed", line["cause"])
                self.assertEqual([], server.authorizations)


class StartTest(unittest.TestCase):
    def test_a_bad_key_file_or_half_a_set_of_flags_is_refused_with_words(self):
        relay = ServiceAccountRelay()
        self.addCleanup(relay.__exit__, None)
        flags = ["--log=memory", "--http_address=127.0.0.1:0", "--grpc_address=127.0.0.1:0",
                 "--admin_address=127.0.0.1:0", f"--webhook_secret_files={relay.folder}/secrets", *relay.flags]
        code, output = run_to_end(*flags)
        self.assertEqual(2, code)
        self.assertIn("give either --service_account_jwks_file or --service_account_jwks_url", output)
        path = os.path.join(relay.folder, "jwks")
        for text, expected in (
            (None, f"--service_account_jwks_file: cannot read {path}"),
            ("{}", f"--service_account_jwks_file: {path}: is no set of JSON Web Keys"),
            ('{"keys":[{"kty":"oct","kid":"a","k":"c2VjcmV0"}]}', "/keys/0: holds a private or shared key"),
        ):
            with self.subTest(text):
                if text is not None:
                    relay.write_file("jwks", text)
                code, output = run_to_end(*flags, f"--service_account_jwks_file={path}")
                self.assertEqual(1, code, output)
                self.assertIn(expected, output)
                self.assertNotIn("c2VjcmV0", output)


class RefundctlTest(unittest.TestCase):
    """A client whose token file is rotated by the kubelet, over TLS as tokens need it."""

    def test_tail_comes_back_with_the_token_that_its_file_holds_then(self):
        key = Key("first", "ES256")
        relay = ServiceAccountRelay()
        authority = Authority(relay.folder)
        cert, cert_key = authority.issue()
        relay.flags += [f"--service_account_jwks_file={relay.write_file('jwks', key_set(key))}",
                        f"--grpc_tls_cert_file={relay.write_file('cert', cert)}",
                        f"--grpc_tls_key_file={relay.write_file('key', cert_key)}"]
        self.enterContext(relay)
        volume = SecretVolume(relay.folder)
        # Accepted for some seconds yet, thanks to the clock skew of a minute: the stream lasts that long and no longer.
        life = 30 if SANITIZE else 10
        (token_file,) = volume.put(token=key.token(exp=int(time.time()) - 60 + life))
        webhooks.send(relay, webhooks.webhook(1))
        tail = subprocess.Popen(
            [os.path.join(BIN, "refundctl"), "--address=%s:%d" % relay.address("grpc"),
             f"--ca_file={authority.cert_file}", f"--token_file={token_file}", "--output=json", "tail", "--name=books",
             "--from=earliest"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        deadline = threading.Timer(2 * DEADLINE, tail.kill)  # or a read of its output would wait for ever
        deadline.start()
        try:
            self.assertIn(webhooks.event_id(webhooks.webhook(1)), tail.stdout.readline())
            volume.put(token=key.token())
            relay.wait_for_line(lambda record: record["message"] == "subscription ended"
                                and record["reason"] == "MAX_STREAM_AGE")
            webhooks.send(relay, webhooks.webhook(2))
            self.assertIn(webhooks.event_id(webhooks.webhook(2)), tail.stdout.readline())
        finally:
            deadline.cancel()
            tail.terminate()
            _, problems = tail.communicate(timeout=DEADLINE)
        self.assertNotIn("UNAUTHENTICATED", problems)
        relay.metric_is(f'{AUTHENTICATIONS}{{key="books",method="grpc_service_account",result="authentic"}} 2\n')


if __name__ == "__main__":
    unittest.main()
