"""The published schema of the access policy and the program that reads it give the same verdict: on listed documents, and
on every one that comes of changing one place of a full policy."""

import concurrent.futures
import copy
import json
import os
import re
import subprocess
import unittest

from refundrelay.v1 import refund_event_pb2

from relay import BIN, DEADLINE
from test_documentation import read

HEX = "a" * 64
FULL = {
    "$schema": "access-policy.schema.json",
    "subscribers": {
        "books": {
            "description": "books the refunds",
            "certificates": ["dns:books.internal", "uri:spiffe://example.org/ns/books/sa/books"],
            "token_hashes": ["sha256:" + HEX],
            "service_accounts": ["payments/books"],
            "events": {"types": ["pass", "subscription"], "names": ["refunded.bundle"]},
            "personal_data": False,
        },
        "support": {"events": "all", "personal_data": True, "administer": True, "commit_for_others": True,
                    "look_up_by_refund": True},
        "gone": {},
    },
}
OTHER_VALUES = (None, True, 1, "", "all", "pass", [], ["all"], ["pass", "pass"], {}, {"types": []})
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool}
ANNOTATIONS = {"$schema", "$id", "title", "description", "default", "definitions"}


class Schema:
    """As much of JSON Schema as the published one uses; anything else in it is an error here."""

    def __init__(self, root):
        self.root = root

    def accepts(self, value, schema=None):
        schema = self.root if schema is None else schema
        return all(self.keyword_accepts(value, schema, word, says) for word, says in schema.items())

    def keyword_accepts(self, value, schema, word, says):
        if word in ANNOTATIONS:
            return True
        if word == "$ref":
            self.check(says.startswith("#/definitions/"), says)
            return self.accepts(value, self.root["definitions"][says.rpartition("/")[2]])
        if word == "type":
            return isinstance(value, TYPES[says])
        if word == "enum":
            return value in says
        if word == "anyOf":
            return any(self.accepts(value, one) for one in says)
        if isinstance(value, str):
            # In JSON Schema `$` is the very end.
            applies = {"maxLength": lambda: len(value) <= says,
                       "pattern": lambda: re.search(says.replace("$", r"\Z"), value, re.ASCII) is not None}
        elif isinstance(value, list):
            applies = {"minItems": lambda: len(value) >= says,
                       "maxItems": lambda: len(value) <= says,
                       "uniqueItems": lambda: len({json.dumps(item) for item in value}) == len(value),
                       "items": lambda: all(self.accepts(item, says) for item in value)}
        elif isinstance(value, dict):
            applies = {"required": lambda: set(says) <= set(value),
                       "minProperties": lambda: len(value) >= says,
                       "properties": lambda: all(self.accepts(value[name], one) for name, one in says.items()
                                                 if name in value),
                       "patternProperties": lambda: all(
                           self.accepts(value[name], one) for pattern, one in says.items() for name in value
                           if re.search(pattern.replace("$", r"\Z"), name)),
                       "additionalProperties": lambda: says is not False or all(
                           name in schema.get("properties", {}) or any(
                               re.search(pattern.replace("$", r"\Z"), name)
                               for pattern in schema.get("patternProperties", {}))
                           for name in value)}
        else:
            applies = {}
        known = {"maxLength", "pattern", "minItems", "maxItems", "uniqueItems", "items", "required", "minProperties",
                 "properties", "patternProperties", "additionalProperties"}
        self.check(word in known, word)
        return applies[word]() if word in applies else True

    @staticmethod
    def check(good, what):
        if not good:
            raise AssertionError(f"this test does not know {what}")


def places(value, path=()):
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from places(item, (*path, key))


def changed(path, change):
    """A full policy after `change(holder, key)` at one place."""
    wrapped = {"root": copy.deepcopy(FULL)}
    holder, keys = wrapped, ("root", *path)
    for key in keys[:-1]:
        holder = holder[key]
    change(holder, keys[-1])
    return wrapped.get("root")


def one(**members):
    return {"subscribers": {"a": members}}


class PolicySchemaTest(unittest.TestCase):
    def setUp(self):
        self.schema = Schema(json.loads(read("docs", "access-policy.schema.json")))

    def program_accepts(self, document):
        done = subprocess.run([os.path.join(BIN, "refundctl"), "policy", "check", "-"], input=json.dumps(document),
                              capture_output=True, text=True, timeout=DEADLINE)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return done.returncode == 0

    def verdicts(self, documents):
        """Checks that both agree on each document; returns what they say."""
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            of_program = list(pool.map(self.program_accepts, documents))
        for document, verdict in zip(documents, of_program, strict=True):
            self.assertEqual(self.schema.accepts(document), verdict, json.dumps(document))
        return of_program

    def test_they_agree_on_each_change_of_one_place(self):
        documents = [FULL]
        for path in places(FULL):
            for value in OTHER_VALUES:
                documents.append(changed(path, lambda holder, key, value=value: holder.__setitem__(key, value)))
            documents.append(changed(path, lambda holder, key: isinstance(holder[key], dict)
                                     and holder[key].__setitem__("unknown", True)))
            if path:
                documents.append(changed(path, lambda holder, key: holder.pop(key)))
        verdicts = self.verdicts(documents)
        self.assertTrue(verdicts[0])
        self.assertGreater(verdicts.count(False), 150)
        self.assertGreater(verdicts.count(True), 30)

    def test_they_agree_on_texts(self):
        good = [one(certificates=[text]) for text in
                ("dns:a", "dns:a-b.c0", "uri:a:b", "uri:spiffe://o/x", "dns:" + "a" * 2044)]
        good += [one(events={"names": ["refunded." + text]}) for text in ("a", "B_c-d.9", "a" * 119)]
        good += [one(token_hashes=["sha256:" + HEX]), {"subscribers": {}}]
        good += [{"subscribers": {name: {}}} for name in ("a", "0-z", "a" * 63)]
        good.append(one(events={"names": [f"refunded.n{number}" for number in range(64)]}))
        bad = [one(certificates=[text]) for text in
               ("a.b", "dns:", "dns:A", "dns:*.a", "dns:a b", "DNS:a", "uri:", "uri:a", "uri::b", "uri:a:", "uri:A:b",
                "uri:1a:b", "uri:a:b c", "email:a@b", "cn:books", "dns:a\n", "dns:" + "a" * 2045)]
        good += [one(service_accounts=[text]) for text in
                 ("a/b", "0/9", "a-b/c.d-e", "a" * 63 + "/" + "b" * 253, "default/default")]
        bad += [one(service_accounts=[text]) for text in
                ("a", "a/", "/a", "a/b/c", "A/b", "a/B", "a.b/c", "-a/b", "a-/b", "a/-b", "a/b.", "a:b", "a/b\n", "*/a",
                 "system:serviceaccount:a:b", "a" * 64 + "/b", "a/" + "b" * 254)]
        bad += [one(events={"names": [text]}) for text in
                ("refunded.", "refunded", "bought.pass", "refunded.a b", "refunded.*", "xrefunded.a", "refunded.a\n",
                 "refunded." + "a" * 120)]
        bad += [one(token_hashes=[text]) for text in
                (HEX, f"sha256:{HEX}a", "sha256:" + HEX[1:], f"sha256:{HEX[1:]}A", "md5:" + HEX, "books-token")]
        bad += [{"subscribers": {name: {}}} for name in ("", "A", "a_b", "a b", "a\n", "a" * 64)]
        bad.append(one(events={"names": [f"refunded.n{number}" for number in range(65)]}))
        self.assertEqual([True] * len(good) + [False] * len(bad), self.verdicts(good + bad))

    def test_they_know_every_type_of_event(self):
        names = refund_event_pb2.RefundEventType.keys()
        words = [name.removeprefix("REFUND_EVENT_TYPE_").lower() for name in names]
        self.assertEqual([word != "unspecified" for word in words],
                         self.verdicts([one(events={"types": [word]}) for word in words]))

    def test_the_policy_in_the_readme_is_one(self):
        (example,) = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", read("README.md"), re.DOTALL)
                      if '"subscribers"' in text]
        self.assertEqual([True], self.verdicts([example]))


if __name__ == "__main__":
    unittest.main()
