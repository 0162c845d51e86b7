"""Who may send webhooks: HMAC or Basic, either is enough; a wrong signature is never saved by Basic."""

import unittest

import webhooks
from relay import BASIC_PASSWORD, Relay, basic_header, run_to_end
from stream import event_ids


class AuthenticationTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.relay = cls.enterClassContext(Relay())

    def refused(self, headers, body=None):
        body = body if body is not None else webhooks.encode(webhooks.webhook(999))
        before = event_ids(self.relay)
        status, answer, answer_headers = self.relay.post(body, headers)
        self.assertEqual(401, status)
        self.assertEqual("application/problem+json", answer_headers["Content-Type"].split(";")[0])
        self.assertEqual(401, answer["status"])
        self.assertIn("title", answer)
        self.assertIn("detail", answer)
        self.assertIsNotNone(answer_headers["WWW-Authenticate"])
        self.assertEqual(before, event_ids(self.relay))

    def test_basic_is_enough(self):
        made = webhooks.webhook(1)
        status, answer, _ = self.relay.post(webhooks.encode(made), basic_header())
        self.assertEqual((200, webhooks.event_id(made)), (status, answer["event_id"]))

    def test_right_signature_is_enough_beside_wrong_basic(self):
        body = webhooks.encode(webhooks.webhook(2))
        status, _, _ = self.relay.post(body, {**webhooks.signed(body), **basic_header(password="wrong")})
        self.assertEqual(200, status)

    def test_wrong_signature_is_refused_even_with_right_basic(self):
        body = webhooks.encode(webhooks.webhook(999))
        self.refused({**webhooks.signed(body, "another secret"), **basic_header()})

    def test_broken_signature_is_refused(self):
        body = webhooks.encode(webhooks.webhook(999))
        right = webhooks.signature(body)
        for wrong in (right[:-1] + ("0" if right[-1] != "0" else "1"), right[:-1], right + "0", right.upper(), "", "zz"):
            with self.subTest(wrong):
                self.refused({"X-Conscent-Signature": wrong})

    def test_the_signature_is_over_the_raw_bytes(self):
        body = webhooks.encode(webhooks.webhook(999))
        self.refused(webhooks.signed(body), body + b"\n")

    def test_no_credentials_or_wrong_basic_are_refused(self):
        for headers in (
            {},
            basic_header(user="somebody"),
            basic_header(password="wrong"),
            basic_header(password=BASIC_PASSWORD + "x"),
            {"Authorization": "Basic !!!"},
            {"Authorization": "Bearer token"},
        ):
            with self.subTest(headers):
                self.refused(headers)

    def test_no_credentials_configured_means_no_start(self):
        code, text = run_to_end("--log=memory", "--http_address=127.0.0.1:0", "--grpc_address=127.0.0.1:0",
                                "--admin_address=127.0.0.1:0")
        self.assertEqual(2, code, text)
        self.assertIn("--webhook_secret_files: no webhook credentials are configured", text)


if __name__ == "__main__":
    unittest.main()
