"""What the run of secret_run.py must not emit, and the search for it."""

import hashlib
import json
import re
import urllib.parse

import webhooks

OLD_SECRET = "Zr0-old-webhook-secret-7Qd"
NEW_SECRET = "Mv3-new-webhook-secret-2Kx"
BROKEN_SECRET = "Jt8-secret-in-a-broken-file-5Wp"
WRONG_SECRET = "Hc6-secret-of-a-stranger-9Ly"
WRONG_PASSWORD = "Gb1-password-of-a-stranger-4Un"
MISPLACED_SECRET = "Fs5-secret-on-the-command-line-3Ei"
BOOKS_TOKEN = "kJ8vXw2Lq0Zr7TnB4mYc1sHd9fGe5aUo"
OPERATOR_TOKEN = "pQ3rStU6vWxY9zAbC2dEfG5hIjK8lMnO"
WRONG_TOKEN = "wW4rOnGtOkEnXy7ZaBcD1eFgHiJkLmNo"
ILL_FORMED_TOKEN = "iL5 lF ormed tOkEn with spaces 77"
# What clients say in their requests, and what a stranger may put there: theirs to hear again, not ours to log.
OWN_TEXT = "priya.own@example.net"
OWN_NAME = "priya.own.example.net"

PERSON = {
    "phoneNumber": "9811122233",
    "email": "asha.iyer@example.org",
    "name": "Asha Iyer",
    "username": "asha.iyer.1985",
    "city": "Tiruchirappalli",
    "address": {"apartment": "Flat 7B", "area": "Srirangam", "pincode": "620006", "landmark": "Rockfort Temple",
                "city": "Trichy", "state": "Tamil Nadu", "country": "Bharat"},
    "location": {"latitude": 10.862912, "longitude": 78.688741, "postcode": "620009"},
    "nickname": "an unknown personal member",
}


def texts_in(value):
    """Every text and long number in a JSON value."""
    if isinstance(value, dict):
        return [text for inner in value.values() for text in texts_in(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in texts_in(inner)]
    return [str(value)] if len(str(value)) >= 4 and not isinstance(value, bool) else []


def personal_texts():
    """All personal data of the run's webhooks that stands in no other part of them."""
    found, elsewhere = set(texts_in(PERSON)), []
    for name in webhooks.SAMPLES:
        made = webhooks.sample(name)
        found.update(texts_in(made["payload"]["user"]) + texts_in(made["client_info"]))
        elsewhere.append(json.dumps([made["payload"]["refund"], made["user_id"]]))
    # Words that stand in the relay's own texts as well.
    found -= {"desktop", "India", "Bharat"}
    return {text for text in found if text not in "".join(elsewhere)}


def hashed(token):
    return hashlib.sha256(token.encode()).hexdigest()


class Emitted:
    """Everything that was emitted, with where."""

    def __init__(self):
        self.pieces = []

    def add(self, where, text):
        if isinstance(text, bytes):
            text = text.decode("utf-8", "replace")
        self.pieces.append((where, text))

    def find(self, texts):
        """Where any of the texts stands, as it is or as JSON or URLs write it."""
        found = []
        for text in texts:
            forms = {text, json.dumps(text)[1:-1], urllib.parse.quote(text)}
            # A number may stand inside a longer one by chance, such as the microseconds of a time.
            edge = "(?<![0-9.]){}(?![0-9])" if text.replace(".", "").isdigit() else "{}"
            pattern = re.compile("|".join(edge.format(re.escape(form)) for form in forms))
            found += [(text, where) for where, emitted in self.pieces if pattern.search(emitted)]
        return found
