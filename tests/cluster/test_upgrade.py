"""A rolling restart under load: a subscriber stays and misses nothing, sees `going_away`; what the sender was refused is told."""

import unittest

import fixtures
from cluster import CHART, Namespace, Release, say

MINIMAL = CHART / "ci" / "minimal-values.yaml"
COUNT = 400  # one each 100 ms, and more slowly while nobody answers


def event_ids(lines):
    return [line["event"]["event_id"] for line in lines if line["kind"] == "event"]


class UpgradeTest(unittest.TestCase):
    def test_a_subscriber_stays_and_misses_nothing(self):
        with Namespace("rr-upgrade") as namespace:
            fixtures.put_fixtures(namespace)
            release = Release(namespace)
            release.install(MINIMAL)
            subscriber = release.start_client("subscriber", "grpc", "tail", "--name=helm-test", "--from=earliest", "--output=json")
            subscriber.wait_line("a stream", lambda line: line["kind"] == "started")
            sender = release.start_client(
                "sender", "http", "send", "--sample=pass", "--unique", "--secret-file=/secrets/webhook-secret", "--every=100ms",
                f"--count={COUNT}", "--timeout=2s", "--output=json")
            sender.wait_line("an accepted webhook", lambda line: line.get("status") == 200)
            uid = release.pod()["metadata"]["uid"]
            release.install(MINIMAL, upgrade=True, values={"podAnnotations": {"upgraded": "yes"}})
            self.assertNotEqual(uid, release.pod()["metadata"]["uid"])

            answers = [line for line in sender.finish((0, 1)) if line["kind"] in ("answer", "no_answer")]
            self.assertEqual(COUNT, len(answers))
            accepted = [line["body"]["event_id"] for line in answers if line.get("status") == 200]
            self.assertEqual(200, answers[-1].get("status"), "the load ended before the upgrade: raise COUNT")
            subscriber.wait_line("the last accepted event", lambda line: line["kind"] == "event" and line["event"]["event_id"] == accepted[-1])
            lines = subscriber.lines()
            received = event_ids(lines)
            self.assertEqual([], sorted(set(accepted) - set(received)), "accepted and never delivered")
            sequences = [int(line["sequence"]) for line in lines if line["kind"] == "event"]
            self.assertEqual(list(range(1, len(sequences) + 1)), sequences)
            kinds = [line["kind"] for line in lines if line["kind"] != "event"]
            self.assertIn("going_away", kinds)
            self.assertEqual(2, kinds.count("started"), kinds)
            subscriber.delete()
            self.tell(answers, accepted, received)

    def tell(self, answers, accepted, received):
        refused = [line for line in answers if line.get("status") != 200]
        statuses = sorted({str(line.get("status", "no connection")) for line in refused})
        seconds = 0.0
        if refused:
            first = answers.index(refused[0])
            back = next(line for line in answers[first:] if line.get("status") == 200)
            seconds = seconds_between(refused[0]["posted_at"], back["posted_at"])
        say(f"  upgrade under load: {len(answers)} webhooks posted, {len(accepted)} accepted, {len(refused)} refused "
            f"({', '.join(statuses) or 'none'}) for {seconds:.1f} s; {len(received)} events delivered, none missing, none twice; "
            "going_away was seen")


def seconds_between(first, second):
    def of_day(text):
        hours, minutes, seconds = text.rstrip("Z").split("T")[1].split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)

    return (of_day(second) - of_day(first)) % 86400


if __name__ == "__main__":
    unittest.main()
