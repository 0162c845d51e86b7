"""Every metric that the design names is there with its type and labels, and what is logged names things, not people."""

import json
import re
import unittest

from refundrelay.v1 import refund_event_service_pb2 as service

import webhooks
from relay import DEADLINE, Relay
from stream import EARLIEST, error_of, request, subscription
from test_admin_http import metric

# Name without its prefix: type and labels.
EXPECTED = {
    "webhooks_total": ("counter", {"result"}),
    "webhook_duration_seconds": ("histogram", set()),
    "append_batch_events": ("histogram", set()),
    "append_duration_seconds": ("histogram", set()),
    "append_queue_events": ("gauge", set()),
    "append_queue_limit_events": ("gauge", set()),
    "append_queue_bytes": ("gauge", set()),
    "append_queue_limit_bytes": ("gauge", set()),
    "sync_failures_total": ("counter", set()),
    "ready": ("gauge", {"check"}),
    "log_first_sequence": ("gauge", set()),
    "log_last_sequence": ("gauge", set()),
    "log_bytes": ("gauge", set()),
    "wal_bytes": ("gauge", set()),
    "data_dir_free_bytes": ("gauge", set()),
    "data_dir_size_bytes": ("gauge", set()),
    "oldest_event_timestamp_seconds": ("gauge", set()),
    "newest_event_timestamp_seconds": ("gauge", set()),
    "retention_age_seconds": ("gauge", set()),
    "quarantined_webhooks": ("gauge", set()),
    "quarantine_oldest_timestamp_seconds": ("gauge", set()),
    "schema_drift_total": ("counter", {"field"}),
    "subscriber_streams": ("gauge", set()),
    "subscriber_connected": ("gauge", {"subscriber"}),
    "subscriber_lag_events": ("gauge", {"subscriber"}),
    "subscriber_lag_seconds": ("gauge", {"subscriber"}),
    "subscriber_expired_events_total": ("counter", {"subscriber"}),
    "delivered_events_total": ("counter", {"subscriber"}),
    "slow_subscribers_total": ("counter", set()),
    "authentication_total": ("counter", {"method", "key", "result"}),
    "last_webhook_timestamp_seconds": ("gauge", {"result"}),
    "config_last_reload_successful": ("gauge", {"file"}),
    "webhook_credentials": ("gauge", {"file"}),
    "loss_audit_mismatch_events": ("gauge", set()),
    "loss_audit_checked_events_total": ("counter", set()),
    "loss_audit_unchecked_events_total": ("counter", set()),
    "trimmed_events_total": ("counter", set()),
    "forgotten_ids_total": ("counter", set()),
    "retention_paused": ("gauge", set()),
    "backup_duration_seconds": ("gauge", set()),
    "backup_failures_total": ("counter", set()),
    "backup_interval_seconds": ("gauge", set()),
    "backup_last_success_timestamp_seconds": ("gauge", set()),
    "build_info": ("gauge", {"version", "compiler"}),
}


def texts_of_people():
    """Every text in the personal part of the webhook that is sent here."""
    texts = []

    def collect(value):
        if isinstance(value, dict):
            for inner in value.values():
                collect(inner)
        elif isinstance(value, str) and len(value) > 3:
            texts.append(value)

    payload = webhooks.sample(webhooks.PASS)["payload"]
    collect({"user": payload["user"], "client": payload.get("clientInfo", {})})
    return texts


def described(text):
    """What a scrape says of each metric: {name: (type, {labels of its series}, has a help text)}."""
    types, labels, helps = {}, {}, set()
    for line in text.splitlines():
        if match := re.fullmatch(r"# TYPE (\w+) (\w+)", line):
            types[match[1]] = match[2]
        elif match := re.fullmatch(r"# HELP (\w+) (.+)", line):
            helps.add(match[1])
        elif match := re.fullmatch(r"(\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? \S+", line):
            found = set(re.findall(r'(\w+)="', match[2] or "")) - {"le"}
            labels.setdefault(match[1], set()).add(frozenset(found))
    return {name: (types[name], labels.get(name), name in helps) for name in types}


class MetricsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        relay = cls.relay = Relay()
        relay.flags += ["--backup_interval=1h", f"--backup_dir={relay.folder}/backups"]
        cls.enterClassContext(relay)
        cls.sent = webhooks.send(relay, webhooks.webhook(1))
        relay.events().CommitPosition(
            service.CommitPositionRequest(
                subscriber_name="committer",
                position=relay.events().GetLogInfo(service.GetLogInfoRequest(), timeout=DEADLINE).last_position,
            ),
            timeout=DEADLINE,
        )
        # From now on it is known from the start.
        relay.stop()
        relay.start()
        webhooks.send(relay, webhooks.webhook(1))  # a duplicate
        webhooks.send(relay, webhooks.webhook(2, webhooks.BUNDLE))  # schema drift
        body = webhooks.encode(webhooks.webhook(3))
        assert relay.post(body, webhooks.signed(body, "another secret"))[0] == 401
        assert relay.post(b"{", webhooks.signed(b"{"))[0] == 400  # quarantined
        with subscription(relay, start_from=EARLIEST, subscriber_name="reader") as stream:
            stream.read_until("caught_up")
        error_of(list, relay.events().Subscribe(request(subscriber_name="no-start"), timeout=DEADLINE))
        cls.ended = relay.wait_for_line(lambda record: record["message"] == "subscription ended")
        cls.text = relay.admin_get("/metrics")[2]

    def test_every_metric_of_the_design_is_there(self):
        found = described(self.text)
        for name, (kind, labels) in EXPECTED.items():
            with self.subTest(name):
                self.assertEqual((kind, {frozenset(labels)}, True), found.get("refund_relay_" + name))

    def test_names_begin_as_they_should(self):
        for name in described(self.text):
            self.assertRegex(name, r"^(refund_relay|process)_")

    def test_a_name_with_a_committed_position_keeps_its_series(self):
        def value(name):
            return metric(self.text, "refund_relay_" + name, subscriber="committer")

        self.assertIn('refund_relay_subscriber_connected{subscriber="committer"} 0', self.text)
        self.assertIn('refund_relay_delivered_events_total{subscriber="committer"} 0', self.text)
        self.assertEqual(1, value("subscriber_lag_events"))
        self.assertGreater(value("subscriber_lag_seconds"), 0)

    def test_log_lines_name_what_they_are_about(self):
        records = [json.loads(line) for line in self.relay.lines]
        accepted = [r for r in records if r["message"] == "webhook" and r["result"] == "accepted"]
        self.assertEqual([self.sent["event_id"], 1], [accepted[0]["event_id"], accepted[0]["sequence"]])
        for record in records:
            if record["message"] == "webhook":
                self.assertRegex(record["request_id"], r"^[0-9a-f]{16}$")
        started = next(r for r in records if r["message"] == "subscription started")
        refused = next(r for r in records if r["message"] == "subscription refused")
        for record in (started, self.ended):
            self.assertEqual("reader", record["subscriber"])
            self.assertIn("sequence", record)
        for record in (started, self.ended, refused):
            self.assertRegex(record["peer"], r"^ipv4:127\.0\.0\.1:\d+$")
        self.assertEqual(2, self.ended["delivered_events"])
        self.assertTrue(self.ended["reason"])
        self.assertIn("start", refused["reason"])

    def test_nobody_is_named(self):
        texts = texts_of_people()
        self.assertGreater(len(texts), 3)
        for text in texts:
            self.assertNotIn(text, self.text)
            for line in self.relay.lines:
                self.assertNotIn(text, line)


if __name__ == "__main__":
    unittest.main()
