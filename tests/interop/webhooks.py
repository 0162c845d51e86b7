"""Webhooks for tests: the vendor's samples, unique ones made from them, signatures, and the contract's event id."""

import copy
import hashlib
import hmac
import json
import os

from relay import SECRET

TESTDATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "testdata")
PAY_PER_USE = "refunded.pay_per_use"
SUBSCRIPTION = "refunded.subscription"
PASS = "refunded.pass"
BUNDLE = "refunded.bundle"  # a name that the server does not know
SAMPLES = (PAY_PER_USE, SUBSCRIPTION, PASS)

# The ids of the samples, word for word from the contract.
SAMPLE_EVENT_IDS = {
    PAY_PER_USE: "65e0220ed03692125f1f3592-9a388ce337ca367a",
    SUBSCRIPTION: "65e01fe8d03692125f1f356a-17a8f58cd815c44c",
    PASS: "65e02242d03692125f1f3593-4ad38e3cfdb0ae41",
}


def sample_path(name):
    return os.path.join(TESTDATA, name + ".json")


def sample_body(name):
    """The sample's bytes as the vendor's page has them."""
    with open(sample_path(name), "rb") as file:
        return file.read()


def sample(name):
    return json.loads(sample_body(name))


_TEMPLATES = {name: sample(name) for name in SAMPLES}


def webhook(number, name=PASS, client_id=None):
    """A webhook like the vendor's with a refund id of its own, as a dictionary. Equal arguments, equal webhooks."""
    made = copy.deepcopy(_TEMPLATES.get(name, _TEMPLATES[PASS]))
    made["event"] = name
    made["payload"]["refund"]["_id"] = f"{number:024x}"
    if client_id is not None:
        made["payload"]["refund"]["clientId"] = client_id
    return made


def encode(made):
    return json.dumps(made, separators=(",", ":")).encode()


def event_id(made):
    """The event id by the contract, for a webhook with a plain refund id and an `updatedAt`."""
    refund = made["payload"]["refund"]
    digest = hashlib.sha256(f"{made['event']}\n{refund['updatedAt']}".encode()).hexdigest()
    return f"{refund['_id']}-{digest[:16]}"


def signature(body, secret=SECRET):
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def signed(body, secret=SECRET):
    return {"X-Conscent-Signature": signature(body, secret)}


def send(relay, made):
    """Sends a webhook; returns the parsed answer, which must be a 200."""
    body = encode(made)
    status, answer, _ = relay.post(body, signed(body))
    assert status == 200, (status, answer)
    return answer


def send_many(relay, first, count, **arguments):
    """Sends `count` webhooks, one after the other on one connection; returns their event ids."""
    ids = []
    connection = relay.http()
    for number in range(first, first + count):
        body = encode(webhook(number, **arguments))
        connection.request("POST", "/webhooks/refund", body, {"Content-Type": "application/json", **signed(body)})
        answer = connection.getresponse()
        parsed = json.loads(answer.read())
        assert answer.status == 200, (answer.status, parsed)
        ids.append(parsed["event_id"])
    connection.close()
    return ids
