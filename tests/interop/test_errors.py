"""Every refusal carries its reason and, for a bad request, the field, in grpc-status-details-bin."""

import time
import unittest

import grpc
from google.protobuf import duration_pb2
from google.protobuf import timestamp_pb2
from refundrelay.v1 import refund_event_service_pb2 as service

import webhooks
from relay import DEADLINE, Relay
from stream import EARLIEST, error_of, request, subscribe_error

INVALID = grpc.StatusCode.INVALID_ARGUMENT


class ErrorsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.relay = cls.enterClassContext(Relay())
        cls.ids = webhooks.send_many(cls.relay, 0, 3)
        cls.events = cls.relay.events()
        cls.log = cls.events.GetLogInfo(service.GetLogInfoRequest(), timeout=DEADLINE)

    def expect(self, error, code, reason=None, field=None):
        self.assertEqual(code, error.code, error.text)
        self.assertEqual("refund-relay", error.domain, error.text)
        self.assertTrue(error.text)
        if reason is not None:
            self.assertEqual(reason, error.reason)
        if field is not None:
            self.assertEqual([field], error.fields, error.text)

    def test_subscribe_names_the_bad_field(self):
        tomorrow = timestamp_pb2.Timestamp(seconds=int(time.time()) + 86400)
        position = service.Position(log_id=self.log.log_id, sequence=1)
        for field, fields in {
            "subscriber_name": {"subscriber_name": "", "start_from": EARLIEST},
            "subscriber_name ": {"subscriber_name": "Upper", "start_from": EARLIEST},
            "subscriber_name  ": {"subscriber_name": "x" * 64, "start_from": EARLIEST},
            "start": {},
            "start_from": {"start_from": service.START_FROM_UNSPECIFIED},
            "start_from ": {"start_from": 77},
            "at_time": {"at_time": tomorrow},
            "at_time ": {"at_time": timestamp_pb2.Timestamp(nanos=-1)},
            "after.log_id": {"after": service.Position(sequence=1)},
            "until.log_id": {"start_from": EARLIEST, "until": service.Position(sequence=1)},
            "heartbeat_interval": {"after": position, "heartbeat_interval": duration_pb2.Duration(seconds=31)},
            "heartbeat_interval ": {"after": position, "heartbeat_interval": duration_pb2.Duration(nanos=999999999)},
            "max_batch_bytes": {"after": position, "max_batch_bytes": 2097153},
            "filter.event_types[1]": {"after": position, "filter": {"event_types": [1, 99]}},
            "filter.event_types[0]": {"after": position, "filter": {"event_types": [0]}},
            "filter.event_names[1]": {"after": position, "filter": {"event_names": ["refunded.pass", "paid.pass"]}},
            "filter.event_names[0]": {"after": position, "filter": {"event_names": ["refunded." + "x" * 128]}},
            "filter.event_names": {
                "after": position,
                "filter": {"event_names": [f"refunded.{n}" for n in range(65)]},
            },
            "filter.client_ids[0]": {"after": position, "filter": {"client_ids": [""]}},
            "filter.client_ids": {"after": position, "filter": {"client_ids": [str(n) for n in range(257)]}},
        }.items():
            with self.subTest(field):
                self.expect(subscribe_error(self.relay, request(**fields)), INVALID, field=field.strip())

    def test_positions_that_are_not_of_this_history(self):
        def error(**position):
            return subscribe_error(self.relay, request(after=service.Position(**position)))

        failed = grpc.StatusCode.FAILED_PRECONDITION
        self.expect(error(log_id=self.log.log_id, sequence=4), failed, "POSITION_AHEAD")
        self.expect(error(log_id=self.log.log_id, sequence=2, event_hash=12345), failed, "POSITION_MISMATCH")
        self.expect(error(log_id="another-log", sequence=2), failed, "LOG_ID_CHANGED")
        self.expect(error(log_id="another-log", sequence=0), failed, "LOG_ID_CHANGED")

    def test_get_event(self):
        get = self.events.GetEvent
        unknown = error_of(get, service.GetEventRequest(event_id="never-seen"))
        self.expect(unknown, grpc.StatusCode.NOT_FOUND, "EVENT_UNKNOWN")
        self.expect(error_of(get, service.GetEventRequest()), INVALID, field="event_id")
        self.expect(error_of(get, service.GetEventRequest(event_id="x" * 1000)), INVALID, field="event_id")

    def test_list_events(self):
        listing = self.events.ListEvents
        tomorrow = timestamp_pb2.Timestamp(seconds=int(time.time()) + 86400)
        for field, fields in {
            "page_size": {"page_size": 1001},
            "page_token": {"page_token": "not one of ours"},
            "stored_from": {"stored_from": tomorrow},
            "filter.event_names[0]": {"filter": {"event_names": ["paid"]}},
        }.items():
            with self.subTest(field):
                self.expect(error_of(listing, service.ListEventsRequest(**fields)), INVALID, field=field)

    def test_a_page_token_belongs_to_its_request(self):
        page = self.events.ListEvents(service.ListEventsRequest(page_size=1))
        self.assertTrue(page.next_page_token)
        other = service.ListEventsRequest(
            page_size=1, page_token=page.next_page_token, filter={"event_names": ["refunded.pass"]}
        )
        self.expect(error_of(self.events.ListEvents, other), INVALID, field="page_token")

    def test_too_many_streams(self):
        with Relay("--max_streams=2") as relay:
            held = [relay.events().Subscribe(request(start_from=EARLIEST)) for _ in range(2)]
            for call in held:
                next(call)  # started
            error = subscribe_error(relay, request(start_from=EARLIEST))
            self.expect(error, grpc.StatusCode.RESOURCE_EXHAUSTED, "SUBSCRIBER_LIMIT")
            for call in held:
                call.cancel()


if __name__ == "__main__":
    unittest.main()
