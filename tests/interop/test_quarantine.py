"""The quarantine from the sender's first answer to the person who decides; and over kill -9."""

import json
import unittest

from refundrelay.v1 import admin_service_pb2 as admin
from refundrelay.v1 import refund_event_service_pb2 as service

import webhooks
from relay import DEADLINE, Relay
from stream import event_ids

PHONE = "+919812345678"


class QuarantineTest(unittest.TestCase):
    def setUp(self):
        self.relay = self.enterContext(Relay("--max_quarantined_webhooks=3"))

    def post(self, body):
        return self.relay.post(body, webhooks.signed(body))

    def listed(self, **fields):
        asked = admin.ListQuarantinedWebhooksRequest(**fields)
        return list(self.relay.admin().ListQuarantinedWebhooks(asked, timeout=DEADLINE).webhooks)

    def metric(self, line):
        _, _, text = self.relay.admin_get("/metrics")
        found = [row for row in text.splitlines() if row.startswith(line + " ")]
        self.assertEqual(1, len(found), f"{line} in\n{text}")
        return float(found[0].rsplit(" ", 1)[1])

    def test_what_is_no_json_and_what_is_no_refund_are_kept_and_told_where_they_broke(self):
        for body, status, reason, word in (
            (('{"phone":"%s",' % PHONE).encode(), 400, admin.QUARANTINE_REASON_NOT_JSON, "byte"),
            (b'{"event":"bought.pass"}', 422, admin.QUARANTINE_REASON_NOT_A_REFUND_EVENT, "event"),
        ):
            with self.subTest(status):
                got, answer, headers = self.post(body)
                self.assertEqual(status, got)
                self.assertEqual("application/problem+json", headers["Content-Type"])
                self.assertIn(word, answer["detail"])
                (kept,) = self.listed(quarantine_ids=[answer["quarantine_id"]], include_body=True)
                self.assertEqual((reason, body, answer["detail"], 1),
                                 (kept.reason, kept.body, kept.detail, kept.times_received))
                again, answer_again, _ = self.post(body)
                self.assertEqual(200, again)
                self.assertEqual({"status": "quarantined", "quarantine_id": answer["quarantine_id"]}, answer_again)
        self.assertEqual([2, 2], [webhook.times_received for webhook in self.listed()])
        self.assertEqual([b"", b""], [webhook.body for webhook in self.listed()])
        self.assertEqual(2, self.metric("refund_relay_quarantined_webhooks"))
        self.assertGreater(self.metric("refund_relay_quarantine_oldest_timestamp_seconds"), 1.7e9)
        self.assertEqual(0, self.relay.events().GetLogInfo(service.GetLogInfoRequest(), timeout=DEADLINE).last_sequence)
        self.assertNotIn(PHONE, "\n".join(self.relay.lines))

    def test_the_same_id_with_other_content_is_a_duplicate_and_kept_as_a_conflict(self):
        first = webhooks.webhook(1)
        stored = webhooks.send(self.relay, first)
        first["created_at"] += 60
        self.assertEqual({**stored, "status": "duplicate"}, webhooks.send(self.relay, first), "only sent later")
        first["payload"]["refund"]["amount"] += 1
        conflict = webhooks.send(self.relay, first)
        (kept,) = self.listed(reason=admin.QUARANTINE_REASON_CONFLICT, include_body=True)
        self.assertEqual({**stored, "status": "duplicate", "quarantine_id": kept.quarantine_id}, conflict)
        self.assertEqual(stored["event_id"], kept.event_id)
        self.assertEqual(first, json.loads(kept.body))
        self.assertEqual(1, self.metric('refund_relay_webhooks_total{result="conflict"}'))

    def test_a_full_quarantine_refuses_only_what_would_have_to_be_kept(self):
        for number in range(3):
            self.assertEqual(400, self.post(b"[%d" % number)[0])
        status, _, headers = self.post(b"[one too many")
        self.assertEqual((503, "60"), (status, headers["Retry-After"]))
        self.assertEqual(200, self.post(b"[1")[0])
        self.assertEqual("accepted", webhooks.send(self.relay, webhooks.webhook(1))["status"])
        discarded = admin.DiscardQuarantinedWebhooksRequest(quarantine_ids=[self.listed()[0].quarantine_id])
        self.relay.admin().DiscardQuarantinedWebhooks(discarded, timeout=DEADLINE)
        self.assertEqual(400, self.post(b"[one too many")[0])

    def test_what_was_kept_outlives_kill_9_and_is_never_retried_twice(self):
        _, answer, _ = self.post(b"{")
        self.relay.kill()
        self.relay.start()
        (kept,) = self.listed()
        self.assertEqual(answer["quarantine_id"], kept.quarantine_id)
        self.assertEqual(200, self.post(b"{")[0])
        retry = admin.RetryQuarantinedWebhooksRequest(all=True)
        (result,) = self.relay.admin().RetryQuarantinedWebhooks(retry, timeout=DEADLINE).results
        self.assertEqual(admin.RETRY_OUTCOME_STILL_QUARANTINED, result.outcome)
        self.assertIn("byte", result.detail)
        self.assertEqual([], event_ids(self.relay))


if __name__ == "__main__":
    unittest.main()
