"""Events that retention has deleted, as subscribers and the vendor see it: a server that keeps one second of events."""

import re
import time
import unittest

import grpc
from google.protobuf import timestamp_pb2
from refundrelay.v1 import refund_event_service_pb2 as service

import webhooks
from relay import DEADLINE, Relay
from stream import COMMITTED, EARLIEST, LATEST, error_of, event_ids, request, subscribe_error, subscription


def metric(relay, series):
    """The value of a series by its whole name, 0 when it is not there."""
    found = re.search(rf"^{re.escape(series)} (\S+)$", relay.admin_get("/metrics")[2], re.MULTILINE)
    return float(found.group(1)) if found else 0


def send_until(relay, number, done):
    """Sends one webhook after the other until `done` says so; returns the number of the next."""
    deadline = time.monotonic() + DEADLINE
    while not done():
        assert time.monotonic() < deadline, "in vain"
        webhooks.send(relay, webhooks.webhook(number))
        number += 1
    return number


class RetentionTest(unittest.TestCase):
    def info(self, relay):
        return relay.events().GetLogInfo(service.GetLogInfoRequest(), timeout=DEADLINE)

    def expired(self, error, relay):
        self.assertEqual((grpc.StatusCode.OUT_OF_RANGE, "POSITION_EXPIRED"), (error.code, error.reason), error.text)
        first = int(error.metadata["first_sequence"])
        self.assertTrue(10 < first <= self.info(relay).first_sequence, first)

    def test_what_is_deleted_expires_loudly_everywhere(self):
        with Relay("--retention_age=1s") as relay:
            ids = webhooks.send_many(relay, 0, 10)
            events = relay.events()
            with subscription(relay, start_from=EARLIEST, until=self.info(relay).last_position) as stream:
                stream.read_to_end()
            page = events.ListEvents(service.ListEventsRequest(page_size=2), timeout=DEADLINE)
            events.CommitPosition(
                service.CommitPositionRequest(subscriber_name="gone", position=page.position), timeout=DEADLINE
            )
            first_stored_at = stream.deliveries[0].stored_at
            # A scrape while all is there, so that the server knows since when these events wait.
            self.assertGreater(metric(relay, 'refund_relay_subscriber_lag_seconds{subscriber="gone"}'), 0)

            send_until(relay, 10, lambda: self.info(relay).first_sequence > 10)

            self.expired(subscribe_error(relay, request(after=page.position)), relay)
            self.expired(subscribe_error(relay, request(at_time=first_stored_at)), relay)
            self.expired(subscribe_error(relay, request(at_time=timestamp_pb2.Timestamp(seconds=1))), relay)
            self.expired(subscribe_error(relay, request(subscriber_name="gone", start_from=COMMITTED)), relay)
            next_page = service.ListEventsRequest(page_size=2, page_token=page.next_page_token)
            self.expired(error_of(events.ListEvents, next_page, timeout=DEADLINE), relay)
            in_time = service.ListEventsRequest(stored_from=first_stored_at)
            self.expired(error_of(events.ListEvents, in_time, timeout=DEADLINE), relay)
            error = error_of(events.GetEvent, service.GetEventRequest(event_id=ids[3]), timeout=DEADLINE)
            self.assertEqual(
                (grpc.StatusCode.NOT_FOUND, "EVENT_EXPIRED", {"sequence": "4"}),
                (error.code, error.reason, error.metadata),
            )
            by_refund = service.ListEventsRequest(refund_id=f"{3:024x}")
            self.assertEqual(0, len(events.ListEvents(by_refund, timeout=DEADLINE).deliveries))

            with subscription(relay, start_from=EARLIEST) as stream:
                stream.read_events(1)
                self.assertGreater(stream.started.first_sequence, 10)
                self.assertGreater(stream.deliveries[0].sequence, 10)
            listed = events.ListEvents(service.ListEventsRequest(), timeout=DEADLINE)
            self.assertGreater(listed.deliveries[0].sequence, 10)

            answer = webhooks.send(relay, webhooks.webhook(3))
            self.assertEqual(("duplicate", 4), (answer["status"], answer["sequence"]))
            self.assertNotIn(ids[3], event_ids(relay))
            # There is nothing left that it could be compared with.
            other = webhooks.webhook(4)
            other["payload"]["refund"]["amount"] = 123456
            self.assertEqual({"status": "duplicate", "event_id": ids[4], "sequence": 5}, webhooks.send(relay, other))

            # Everything that went after sequence 2, where its position is, is lost to the one who is gone.
            first = self.info(relay).first_sequence
            lost = metric(relay, 'refund_relay_subscriber_expired_events_total{subscriber="gone"}')
            self.assertTrue(first - 3 <= lost <= self.info(relay).first_sequence - 3, (first, lost))
            self.assertEqual(0, metric(relay, "refund_relay_retention_paused"))
            relay.wait_for_line(lambda line: line.get("subscriber") == "gone" and "deleted events" in line["message"])
            # What is deleted is no lag: it counts from the oldest event that is still there.
            deadline = time.monotonic() + DEADLINE
            while not self.lags_by_the_whole_log(relay, "gone"):
                self.assertLess(time.monotonic(), deadline)

            relay.stop()
            relay.start()
            self.assertGreater(self.info(relay).first_sequence, 10)
            self.expired(subscribe_error(relay, request(after=page.position)), relay)
            answer = webhooks.send(relay, webhooks.webhook(3))
            self.assertEqual(("duplicate", 4), (answer["status"], answer["sequence"]))

    def lags_by_the_whole_log(self, relay, name):
        before = time.time()
        lag = metric(relay, f'refund_relay_subscriber_lag_seconds{{subscriber="{name}"}}')
        oldest = metric(relay, "refund_relay_oldest_event_timestamp_seconds")
        return before <= oldest + lag <= time.time()

    def test_a_log_in_which_nothing_comes_keeps_everything(self):
        with Relay("--retention_age=1ms") as relay:
            ids = webhooks.send_many(relay, 0, 1)
            with subscription(relay, start_from=LATEST) as stream:
                for _ in range(3):  # a second each
                    stream.read_until("heartbeat")
            self.assertEqual(ids, event_ids(relay))

    def test_size_is_kept_without_deleting_the_newest(self):
        with Relay("--retention_age=0", "--retention_bytes=1") as relay:
            webhooks.send_many(relay, 0, 300)

            def is_trimmed():
                info = self.info(relay)
                return info.first_sequence == info.last_sequence

            deadline = time.monotonic() + DEADLINE
            while not is_trimmed():
                self.assertLess(time.monotonic(), deadline)
            self.assertEqual(1, len(event_ids(relay)))

    def test_an_id_is_forgotten_after_the_dedupe_age(self):
        with Relay("--retention_age=1ms", "--dedupe_age=2s") as relay:
            start = time.monotonic()
            webhooks.send(relay, webhooks.webhook(0))
            seen = set()

            def is_accepted_anew():
                seen.add(webhooks.send(relay, webhooks.webhook(0))["status"])
                return "accepted" in seen

            send_until(relay, 1, is_accepted_anew)
            self.assertGreater(time.monotonic() - start, 2)
            self.assertEqual({"duplicate", "accepted"}, seen)
            # Counted by the retention's thread once its commit is back, which may be after our answer.
            deadline = time.monotonic() + DEADLINE
            while metric(relay, "refund_relay_forgotten_ids_total") == 0:
                self.assertLess(time.monotonic(), deadline)


if __name__ == "__main__":
    unittest.main()
