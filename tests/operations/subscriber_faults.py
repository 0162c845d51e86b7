"""Faults of subscribers: each breaks a real server as it breaks in life, sees its alerts fire, mends it, and sees them clear."""

import contextlib
import threading
import time

from refundrelay.v1 import refund_event_service_pb2 as service

import webhooks
from alert_fault import commit, database, fault, large_webhook, non_reader, post, read_on
from relay import DEADLINE, Relay
from stream import EARLIEST, subscription


@fault("SubscriberLagging", "SchemaDrift")
def lagging(server, site):
    with server("--write_stall_timeout=1h", "--live_window_bytes=1048576") as relay, contextlib.ExitStack() as stack:
        stream = non_reader(relay, "behind", stack)
        count = 200
        for number in range(count):
            assert post(relay, large_webhook(number)) == 200
        relay.fires("RefundRelaySubscriberLagging")
        stream.read_events(count)
        # Heartbeats have to be taken, or it would lag again.
        reader = threading.Thread(target=read_on, args=(stream,), daemon=True)
        reader.start()
        relay.clears("RefundRelaySubscriberLagging")
        stream.cancel()
        reader.join(DEADLINE)


@fault("SubscriberAbsent")
def absent(server, site):
    with server() as relay:
        webhooks.send(relay, webhooks.webhook(0))
        commit(relay, "gone")
        relay.fires("RefundRelaySubscriberAbsent")
        with subscription(relay, subscriber_name="gone", start_from=EARLIEST) as stream:
            stream.read_until("caught_up")
            relay.clears("RefundRelaySubscriberAbsent")


@fault("SubscriberNearRetention", "EventsExpired", "SubscriberAbsent")
def overtaken(server, site):
    with server("--retention_age=12s") as relay:
        webhooks.send(relay, webhooks.webhook(0))
        commit(relay, "late")
        webhooks.send(relay, webhooks.webhook(1))
        relay.fires("RefundRelaySubscriberNearRetention")

        def is_deleted():
            return relay.metric('refund_relay_subscriber_expired_events_total{subscriber="late"}')

        number = 2
        end = time.monotonic() + DEADLINE
        while not is_deleted() and time.monotonic() < end:
            webhooks.send(relay, webhooks.webhook(number))
            number += 1
        relay.fires("RefundRelayEventsExpired")
        commit(relay, "late")
        relay.clears("RefundRelaySubscriberNearRetention", "RefundRelayEventsExpired")


@fault("SlowSubscribers", "SchemaDrift")
def not_reading(server, site):
    with server("--write_stall_timeout=1s") as relay, contextlib.ExitStack() as stack:
        for number in range(3):
            non_reader(relay, f"slow-{number}", stack)
        number = 0
        while relay.metric("refund_relay_slow_subscribers_total") < 3 and number < 1000:
            assert post(relay, large_webhook(number)) == 200
            number += 1
        relay.fires("RefundRelaySlowSubscribers")
        relay.clears("RefundRelaySlowSubscribers")


@fault("LossAudit", "Down")
def replaced_event(server, site):
    """An event is exchanged for a sound one of another client, in the log, behind the server's back: what a stream got
    and what the log holds differ, as they would after a loss."""
    count = 40
    with Relay() as donor:
        webhooks.send_many(donor, 1000, count, client_id="other")
        with database(donor) as log:
            donor_rows = log.execute("SELECT * FROM events ORDER BY sequence").fetchall()
    with server() as relay:
        wanted = service.EventFilter(client_ids=["ours"])
        with subscription(relay, subscriber_name="audited", start_from=EARLIEST, filter=wanted) as stream:
            for number in range(count):
                webhooks.send(relay, webhooks.webhook(number, client_id="ours"))
                stream.read_events(number + 1)
                with database(relay) as log:
                    log.execute("INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", donor_rows[number])
                if relay.metric("refund_relay_loss_audit_mismatch_events"):
                    break
            relay.fires("RefundRelayLossAudit")
        relay.kill()
        relay.start()
        relay.clears("RefundRelayLossAudit")
