"""The access policy of a running server: reloaded under open streams, and personal data withheld at every rpc."""

import hashlib
import json
import os
import re
import subprocess
import time
import unittest

import grpc
from refundrelay.v1 import admin_service_pb2 as admin
from refundrelay.v1 import refund_event_service_pb2 as service

import webhooks
from relay import BIN, DEADLINE, Relay, run_to_end
from stream import EARLIEST, Stream, error_of, request, subscribe_error

RELOADED = "refund_relay_config_last_reload_successful"


def hashed(token):
    return "sha256:" + hashlib.sha256(token.encode()).hexdigest()


def policy(**subscribers):
    """A policy file's text; each subscriber's token is `token-of-` and its name."""
    entries = {name: {"token_hashes": [hashed("token-of-" + name)], **rights} for name, rights in subscribers.items()}
    return json.dumps({"subscribers": entries})


def personal_texts(made):
    """Every text of a webhook that is personal data by the contract, and does not stand in its refund as well."""
    texts = []

    def collect(value):
        if isinstance(value, dict):
            for inner in value.values():
                collect(inner)
        elif isinstance(value, str) and len(value) >= 4:
            texts.append(value)

    collect(made["payload"]["user"])
    collect(made["client_info"])
    elsewhere = json.dumps([made["payload"]["refund"], made["user_id"]])
    return [text for text in texts if text not in elsewhere]


class PolicyRelay(Relay):
    """A server with a policy file in its folder."""

    def __init__(self, text):
        super().__init__()
        self.flags = [f"--access_policy_file={self.write_file('policy', text)}"]

    def call(self, stub_method, message, token=None):
        metadata = [("authorization", "Bearer " + token)] if token else []
        return stub_method(message, timeout=DEADLINE, metadata=metadata)

    def subscribe(self, name, token=None, **fields):
        """A stream of this name, with the token of the name unless told otherwise."""
        fields.setdefault("start_from", EARLIEST)
        return Stream(self.events(), request(subscriber_name=name, **fields), token=token or "token-of-" + name)

    def reload_shows(self, expected):
        """Waits until the metric of the policy file says so."""
        sample = f'{RELOADED}{{file="{self.folder}/policy"}} {expected}\n'
        end = time.monotonic() + DEADLINE
        while sample not in self.admin_get("/metrics")[2]:
            assert time.monotonic() < end, sample

    def change(self, text):
        """Writes another policy; returns once the server has read it."""
        before = sum('"access policy read"' in line for line in self.lines)
        self.write_file("policy", text)
        end = time.monotonic() + DEADLINE
        while sum('"access policy read"' in line for line in self.lines) == before:
            assert time.monotonic() < end, self.tail()
            time.sleep(0.02)  # between looks, not for it to have happened


PASSES = {"events": {"types": ["pass"]}}
ALL = {"events": "all", "personal_data": True}


class ReloadTest(unittest.TestCase):
    def setUp(self):
        self.relay = self.enterContext(PolicyRelay(policy(passes=PASSES, books=ALL)))

    def sent_away(self, stream):
        going_away = stream.read_until("going_away")
        self.assertEqual("POLICY_CHANGED", going_away.reason)
        error = error_of(stream.read)
        self.assertEqual((grpc.StatusCode.UNAVAILABLE, "POLICY_CHANGED"), (error.code, error.reason))

    def test_changed_rights_end_the_stream_both_ways_and_no_other(self):
        books, passes = self.relay.subscribe("books"), self.relay.subscribe("passes")
        books.read_until("caught_up")
        for number, rights in enumerate(({"events": "all"}, {**PASSES, "personal_data": True}, PASSES)):
            passes.read_until("caught_up")
            self.relay.change(policy(passes=rights, books=ALL))
            self.sent_away(passes)
            webhooks.send(self.relay, webhooks.webhook(number))
            books.read_events(number + 1)
            passes = self.relay.subscribe("passes")
        self.assertEqual(3, len(passes.read_events(3)))

    def test_a_removed_name_or_revoked_token_is_unauthenticated_on_return(self):
        passes = self.relay.subscribe("passes")
        passes.read_until("caught_up")
        self.relay.change(policy(books=ALL))
        self.sent_away(passes)
        error = error_of(self.relay.subscribe("passes").read)
        self.assertEqual((grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_REJECTED"), (error.code, error.reason))

    def test_a_bad_or_missing_file_changes_nothing_loudly(self):
        passes = self.relay.subscribe("passes")
        passes.read_until("caught_up")
        self.relay.reload_shows(1)
        self.relay.write_file("policy", policy(passes={"evnts": "all"}))
        line = self.relay.wait_for_line(lambda record: "access policy NOT read" in record["message"])
        self.assertEqual("error", line["level"])
        self.assertIn("/subscribers/passes/evnts: there is no such member", line["cause"])
        self.relay.reload_shows(0)
        os.remove(os.path.join(self.relay.folder, "policy"))
        self.relay.wait_for_line(lambda record: "cannot be read" in record["message"])
        webhooks.send(self.relay, webhooks.webhook(1))
        self.assertEqual(1, len(passes.read_events(1)))
        self.relay.change(policy(books=ALL))
        self.sent_away(passes)
        self.relay.reload_shows(1)


class StartTest(unittest.TestCase):
    def test_a_server_without_a_good_policy_does_not_start(self):
        relay = PolicyRelay("{}")
        flags = ["--log=memory", "--http_address=127.0.0.1:0", "--grpc_address=127.0.0.1:0",
                 "--admin_address=127.0.0.1:0", f"--webhook_secret_files={relay.folder}/secrets"]
        for text, expected in (
            ("{}", "/policy: the whole: must have the member `subscribers`"),
            ('{"subscribers":{"a":{"tokens":["secret-in-the-wrong-place"]}}}', "/subscribers/a/tokens: there is no such"),
            ("", "/policy: is not JSON"),
        ):
            with self.subTest(text):
                relay.write_file("policy", text)
                code, output = run_to_end(*flags, *relay.flags)
                self.assertEqual(1, code, output)
                self.assertIn("--access_policy_file: ", output)
                self.assertIn(expected, output)
                self.assertNotIn("secret-in", output)
        code, output = run_to_end(*flags, f"--access_policy_file={relay.folder}/absent")
        self.assertEqual(1, code)
        self.assertIn(f"cannot read {relay.folder}/absent", output)
        relay.__exit__(None)

    def test_health_is_open_and_reflection_too_unless_switched_off(self):
        with PolicyRelay(policy()) as relay:
            health = relay.channel().unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=DEADLINE)
            self.assertEqual(b"\x08\x01", health)
            reflection = relay.channel().stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
            (answer,) = reflection(iter([b"\x3a\x00"]), timeout=DEADLINE)
            self.assertIn(b"refundrelay.v1.RefundEventService", answer)
            error = subscribe_error(relay, request(start_from=EARLIEST))
            self.assertEqual(grpc.StatusCode.UNAUTHENTICATED, error.code)


class PersonalDataTest(unittest.TestCase):
    def setUp(self):
        withheld = {"events": "all", "administer": True, "look_up_by_refund": True}
        self.relay = self.enterContext(PolicyRelay(policy(withheld=withheld, shown={**withheld, "personal_data": True})))
        self.samples = [webhooks.sample(name) for name in webhooks.SAMPLES]
        self.samples[0]["payload"]["user"].update(
            email="asha@example.org", name="Asha Example", nickname="an unknown personal member",
            address={**self.samples[0]["payload"]["user"]["address"], "apartment": "Flat 7B", "landmark": "Lotus Temple"})
        self.texts = sorted({text for made in self.samples for text in personal_texts(made)})
        self.assertIn("an unknown personal member", self.texts)
        self.bodies = [webhooks.encode(made) for made in self.samples]
        for made in self.samples:
            self.assertEqual("accepted", webhooks.send(self.relay, made)["status"])
        broken = webhooks.encode(self.samples[1])[:-1]
        self.assertEqual(400, self.relay.post(broken, webhooks.signed(broken))[0])

    def answers(self, name):
        """The raw bytes of every kind of answer that holds events or quarantined webhooks, by rpc."""
        token = "token-of-" + name
        events, quarantine = self.relay.events(), self.relay.admin()
        first = webhooks.event_id(self.samples[0])
        answers = {
            "GetEvent": self.relay.call(events.GetEvent, service.GetEventRequest(event_id=first), token),
            "ListEvents": self.relay.call(events.ListEvents, service.ListEventsRequest(), token),
            "ListEvents by refund": self.relay.call(
                events.ListEvents,
                service.ListEventsRequest(refund_id=self.samples[0]["payload"]["refund"]["_id"]), token),
            "ListQuarantinedWebhooks": self.relay.call(
                quarantine.ListQuarantinedWebhooks, admin.ListQuarantinedWebhooksRequest(include_body=True), token),
            "RetryQuarantinedWebhooks": self.relay.call(
                quarantine.RetryQuarantinedWebhooks, admin.RetryQuarantinedWebhooksRequest(all=True), token),
        }
        raw = {rpc: answer.SerializeToString() for rpc, answer in answers.items()}
        history = self.relay.subscribe(name, stop_when_caught_up=True)
        history.read_to_end()
        self.assertEqual(3, len(history.deliveries))
        raw["Subscribe, history"] = b"".join(delivery.SerializeToString() for delivery in history.deliveries)
        live = self.relay.subscribe(name, start_from=service.START_FROM_LATEST)
        live.read_until("caught_up")
        made = dict(self.samples[0], payload=json.loads(json.dumps(self.samples[0]["payload"])))
        made["payload"]["refund"]["_id"] = ("a" if name == "shown" else "b") * 24
        webhooks.send(self.relay, made)
        live.read_events(1)
        raw["Subscribe, live"] = live.deliveries[0].SerializeToString()
        live.cancel()
        return raw

    def test_what_is_withheld_is_in_no_answer_of_any_rpc(self):
        self.assertLessEqual({"9598598585", "asha@example.org", "Asha Example", "Flat 7B"}, set(self.texts))
        digests = [hashlib.sha256(body).digest() for body in self.bodies]
        for rpc, raw in self.answers("withheld").items():
            for text in self.texts:
                self.assertNotIn(text.encode(), raw, rpc)
            for digest in digests:
                self.assertNotIn(digest, raw, rpc)
        for text in self.texts:
            self.assertNotIn(text, "\n".join(self.relay.lines))

    def test_the_same_answers_hold_it_for_who_may_see_it(self):
        digests = [hashlib.sha256(body).digest() for body in self.bodies]
        for rpc, raw in self.answers("shown").items():
            found = [text for text in self.texts if text.encode() in raw]
            if rpc == "RetryQuarantinedWebhooks":
                self.assertEqual([], found)
            else:
                self.assertTrue(found, rpc)
            if rpc in ("GetEvent", "ListEvents", "Subscribe, history"):
                self.assertTrue(any(digest in raw for digest in digests), rpc)


class RefundctlTest(unittest.TestCase):
    def run_refundctl(self, *arguments, given=""):
        done = subprocess.run([os.path.join(BIN, "refundctl"), *arguments], input=given, capture_output=True,
                              text=True, timeout=DEADLINE)
        return done.returncode, done.stdout, done.stderr

    def test_a_hash_made_by_refundctl_lets_its_token_in(self):
        token = "kJ8vXw2Lq0Zr7TnB4mYc1sHd9fGe5aUo"
        code, printed, problem = self.run_refundctl("policy", "hash-token", given=token + "\n")
        self.assertEqual((0, hashed(token) + "\n"), (code, printed), problem)
        text = json.dumps({"subscribers": {"books": {"token_hashes": [printed.strip()], "events": "all"}}})
        with PolicyRelay(text) as relay:
            info = relay.call(relay.events().GetLogInfo, service.GetLogInfoRequest(), token)
            self.assertEqual(0, info.last_sequence)
            self.assertEqual(0, self.run_refundctl("policy", "check", f"{relay.folder}/policy")[0])
            metrics = relay.admin_get("/metrics")[2]
            (sample,) = re.findall(r'^refund_relay_authentication_total\{(?=.*key="books").*method="grpc_token".* (\d+)$',
                                   metrics, re.MULTILINE)
            self.assertEqual("1", sample)
            for secret in (token, hashed(token)[7:]):
                self.assertNotIn(secret, metrics + "\n".join(relay.lines))


if __name__ == "__main__":
    unittest.main()
