"""The main job: the vendor's three samples, signed by the vendor's snippet, reach a Python subscriber field by field."""

import hashlib
import json
import os
import subprocess
import unittest

from google.protobuf import timestamp_pb2
from refundrelay.v1 import refund_event_pb2 as events

import webhooks
from relay import DEADLINE, SECRET, Relay, basic_header
from stream import EARLIEST, event_ids, subscription

TYPES = {
    webhooks.PAY_PER_USE: events.REFUND_EVENT_TYPE_PAY_PER_USE,
    webhooks.SUBSCRIPTION: events.REFUND_EVENT_TYPE_SUBSCRIPTION,
    webhooks.PASS: events.REFUND_EVENT_TYPE_PASS,
}


def post_by_node(relay, body):
    """Signs and posts with the vendor's Node snippet; returns (status, parsed answer)."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sign_and_post.js")
    url = "http://%s:%d/webhooks/refund" % relay.address("http")
    done = subprocess.run(
        ["node", script, url], input=body, env={**os.environ, "SECRET": SECRET}, capture_output=True, timeout=DEADLINE
    )
    assert done.returncode == 0, done.stderr.decode()
    printed = json.loads(done.stdout)
    return printed["status"], json.loads(printed["body"])


def timestamp(text):
    made = timestamp_pb2.Timestamp()
    made.FromJsonString(text)
    return made


def expected_event(sample):
    """The RefundEvent of a sample, but for what the server adds of its own (`received_at`)."""
    refund, user, client = sample["payload"]["refund"], sample["payload"]["user"], sample["client_info"]
    event = events.RefundEvent(
        event_id=webhooks.SAMPLE_EVENT_IDS[sample["event"]],
        type=TYPES[sample["event"]],
        event_name=sample["event"],
        occurred_at=timestamp_pb2.Timestamp(seconds=sample["created_at"]),
        user_id=sample["user_id"],
        entity=sample["entity"],
        contains=sample["contains"],
        refund=events.Refund(
            id=refund["_id"],
            payment_gateway_refund_id=refund["paymentGatewayRefundId"],
            amount=events.Money(currency_code=refund["currency"], units=refund["amount"]),
            cancel_access=refund["cancelAccess"],
            user_id=refund["userId"],
            client_id=refund["clientId"],
            transaction_id=refund["transactionId"],
            created_at=timestamp(refund["createdAt"]),
            updated_at=timestamp(refund["updatedAt"]),
        ),
        user=events.User(
            phone_number=user["phoneNumber"],
            user_id=user["userId"],
            country=user["country"],
            address=events.Address(**user["address"]),
            name=user["name"],
            city=user["city"],
            location=events.Location(**user["location"]),
            username=user["username"],
        ),
        client_info=events.ClientInfo(
            user_agent=client["userAgent"],
            country=client["country"],
            country_code=client["countryCode"],
            device_type=client["deviceType"],
        ),
    )
    if "email" in user:
        event.user.email = user["email"]
    return event


class MainPathTest(unittest.TestCase):
    def test_samples_signed_by_the_vendors_snippet_arrive_with_every_field(self):
        with Relay() as relay, subscription(relay, start_from=EARLIEST) as stream:
            stream.read_until("caught_up")
            for sequence, name in enumerate(webhooks.SAMPLES, start=1):
                body = webhooks.sample_body(name)
                status, answer = post_by_node(relay, body)
                self.assertEqual(200, status)
                self.assertEqual(
                    {"status": "accepted", "event_id": webhooks.SAMPLE_EVENT_IDS[name], "sequence": sequence}, answer
                )
                stream.read_events(sequence)
                delivery = stream.deliveries[-1]
                self.assertEqual(sequence, delivery.sequence)
                self.assertTrue(delivery.HasField("stored_at"))
                got = events.RefundEvent()
                got.CopyFrom(delivery.event)
                self.assertTrue(got.HasField("received_at"))
                self.assertLessEqual(got.received_at.ToNanoseconds(), delivery.stored_at.ToNanoseconds())
                got.ClearField("received_at")
                expected = expected_event(json.loads(body))
                expected.webhook_sha256 = hashlib.sha256(body).digest()
                self.assertEqual(expected, got)
                # `email` is absent from two samples and present in one: absent is not empty.
                self.assertEqual(name == webhooks.SUBSCRIPTION, got.user.HasField("email"))

    def test_event_ids_can_be_recomputed(self):
        for name in webhooks.SAMPLES:
            self.assertEqual(webhooks.SAMPLE_EVENT_IDS[name], webhooks.event_id(webhooks.sample(name)))

    def test_filters_by_type_name_and_client(self):
        with Relay() as relay:
            ids = {}
            for number, (name, client) in enumerate(
                [
                    (webhooks.PAY_PER_USE, "client-a"),
                    (webhooks.SUBSCRIPTION, "client-a"),
                    (webhooks.PASS, "client-b"),
                    (webhooks.BUNDLE, "client-b"),
                ]
            ):
                answer = webhooks.send(relay, webhooks.webhook(number, name, client))
                ids[name] = answer["event_id"]

            def got(**filter_fields):
                return event_ids(relay, filter=filter_fields)

            self.assertEqual(list(ids.values()), got())
            self.assertEqual([ids[webhooks.PASS]], got(event_types=[events.REFUND_EVENT_TYPE_PASS]))
            self.assertEqual([ids[webhooks.BUNDLE]], got(event_names=[webhooks.BUNDLE]))
            # Types and names are a union ...
            self.assertEqual(
                [ids[webhooks.SUBSCRIPTION], ids[webhooks.BUNDLE]],
                got(event_types=[events.REFUND_EVENT_TYPE_SUBSCRIPTION], event_names=[webhooks.BUNDLE]),
            )
            # ... a name is as good as its type ...
            self.assertEqual([ids[webhooks.PASS]], got(event_names=[webhooks.PASS]))
            # ... and client ids narrow it.
            self.assertEqual([ids[webhooks.PAY_PER_USE], ids[webhooks.SUBSCRIPTION]], got(client_ids=["client-a"]))
            self.assertEqual(
                [ids[webhooks.PASS]],
                got(client_ids=["client-b", "client-c"], event_types=[events.REFUND_EVENT_TYPE_PASS]),
            )
            self.assertEqual([], got(client_ids=["client-a"], event_names=[webhooks.BUNDLE]))

    def test_the_same_webhook_again_is_a_duplicate(self):
        with Relay() as relay:
            first = webhooks.send(relay, webhooks.webhook(1))
            webhooks.send(relay, webhooks.webhook(2))
            again = webhooks.send(relay, webhooks.webhook(1))
            self.assertEqual({**first, "status": "duplicate"}, again)
            self.assertEqual(2, len(event_ids(relay)))

    def test_a_duplicate_stays_one_across_a_restart(self):
        with Relay() as relay:
            first = webhooks.send(relay, webhooks.webhook(1))
            self.assertEqual(0, relay.stop())
            relay.start()
            self.assertEqual({**first, "status": "duplicate"}, webhooks.send(relay, webhooks.webhook(1)))
            self.assertEqual([first["event_id"]], event_ids(relay))

    def test_an_unknown_event_name_flows_with_type_unspecified(self):
        with Relay() as relay:
            made = webhooks.webhook(1, webhooks.BUNDLE)
            made["payload"]["refund"]["notes"] = {"reason": "a new member", "price": 1.10}
            answer = webhooks.send(relay, made)
            self.assertEqual(webhooks.event_id(made), answer["event_id"])
            with subscription(relay, start_from=EARLIEST) as stream:
                stream.read_events(1)
                event = stream.deliveries[0].event
            self.assertEqual(events.REFUND_EVENT_TYPE_UNSPECIFIED, event.type)
            self.assertEqual(webhooks.BUNDLE, event.event_name)
            extra = {field.path: json.loads(field.json) for field in event.extra_fields}
            self.assertEqual({"/payload/refund/notes": made["payload"]["refund"]["notes"]}, extra)

    def test_neither_personal_data_nor_secrets_are_logged(self):
        relay = Relay()
        with relay:
            body = webhooks.sample_body(webhooks.SUBSCRIPTION)
            relay.post(body, webhooks.signed(body))
            relay.post(body, webhooks.signed(body, "another secret"))
            relay.post(body, basic_header(password="wrong-password"))
            bad = body.replace(b'"amount": 1', b'"amount": "8383884833"')
            self.assertEqual(422, relay.post(bad, webhooks.signed(bad))[0])
            self.assertEqual(0, relay.stop())
        for line in relay.lines:
            json.loads(line)  # one JSON object a line, and nothing else
            for private in ("8383884833", "fvdzcxz", "okhla", "wrong-password", SECRET, "interop:secret"):
                self.assertNotIn(private, line)


if __name__ == "__main__":
    unittest.main()
