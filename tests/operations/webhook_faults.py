"""Faults of what comes in: each breaks a real server as it breaks in life, sees its alerts fire, mends it, and sees them clear."""

from refundrelay.v1 import admin_service_pb2 as admin

import webhooks
from alert_fault import fault
from relay import DEADLINE


@fault("QuarantineNotEmpty", "QuarantineFilling", "SchemaDrift")
def quarantine(server, site):
    def discard_all(relay):
        kept = relay.admin().ListQuarantinedWebhooks(admin.ListQuarantinedWebhooksRequest(), timeout=DEADLINE).webhooks
        asked = admin.DiscardQuarantinedWebhooksRequest(quarantine_ids=[webhook.quarantine_id for webhook in kept])
        relay.admin().DiscardQuarantinedWebhooks(asked, timeout=DEADLINE)

    with server("--max_quarantined_webhooks=5") as relay:
        webhooks.send(relay, webhooks.webhook(0))
        relay.post(b"[0", webhooks.signed(b"[0"))
        relay.fires("RefundRelayQuarantineNotEmpty")
        for number in range(1, 5):
            body = b"[%d" % number
            relay.post(body, webhooks.signed(body))
        relay.fires("RefundRelayQuarantineFilling")
        discard_all(relay)
        relay.clears("RefundRelayQuarantineFilling", "RefundRelayQuarantineNotEmpty")
        webhooks.send(relay, webhooks.webhook(1, webhooks.BUNDLE))
        relay.fires("RefundRelaySchemaDrift")
        relay.clears("RefundRelaySchemaDrift")


@fault("EveryWebhookUnauthenticated", "UnauthenticatedSurge")
def wrong_secret(server, site):
    with server() as relay:
        body = webhooks.encode(webhooks.webhook(0))
        for _ in range(4):
            assert relay.post(body, webhooks.signed(body, "another secret"))[0] == 401
        relay.fires("RefundRelayEveryWebhookUnauthenticated")
        for _ in range(60):
            assert relay.post(body, webhooks.signed(body, "another secret"))[0] == 401
        relay.fires("RefundRelayUnauthenticatedSurge")
        webhooks.send(relay, webhooks.webhook(0))
        relay.clears("RefundRelayEveryWebhookUnauthenticated", "RefundRelayUnauthenticatedSurge")
