"""Looking events up beside the stream: GetEvent, ListEvents, GetLogInfo."""

import unittest

from google.protobuf import timestamp_pb2
from refundrelay.v1 import refund_event_service_pb2 as service

import webhooks
from relay import DEADLINE, Relay
from stream import EARLIEST, subscription


class LookupTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.relay = cls.enterClassContext(Relay())
        cls.ids = []
        for number in range(25):
            made = webhooks.webhook(number, webhooks.SAMPLES[number % 3], f"client-{number % 2}")
            cls.ids.append(webhooks.send(cls.relay, made)["event_id"])
        with subscription(cls.relay, start_from=EARLIEST, stop_when_caught_up=True) as stream:
            stream.read_to_end()
        cls.deliveries = stream.deliveries
        cls.last_position = stream.position
        cls.events = cls.relay.events()

    def pages(self, **fields):
        """Every page of a listing."""
        pages, token = [], ""
        while True:
            request = service.ListEventsRequest(page_token=token, **fields)
            pages.append(self.events.ListEvents(request, timeout=DEADLINE))
            token = pages[-1].next_page_token
            if not token:
                return pages

    def listed(self, **fields):
        return [d for page in self.pages(**fields) for d in page.deliveries]

    def test_get_event_equals_its_delivery(self):
        for delivery in self.deliveries[:3]:
            got = self.events.GetEvent(service.GetEventRequest(event_id=delivery.event.event_id), timeout=DEADLINE)
            self.assertEqual(delivery, got.delivery)

    def test_get_event_without_personal_data(self):
        request = service.GetEventRequest(event_id=self.ids[0], omit_personal_data=True)
        event = self.events.GetEvent(request, timeout=DEADLINE).delivery.event
        self.assertFalse(event.HasField("user") or event.HasField("client_info") or event.webhook_sha256)
        self.assertEqual(self.deliveries[0].event.refund, event.refund)

    def test_list_events_in_pages(self):
        self.assertEqual(self.deliveries, self.listed())
        for page_size in (1, 7, 25, 1000):
            pages = self.pages(page_size=page_size)
            self.assertTrue(all(len(page.deliveries) <= page_size for page in pages))
            self.assertEqual(self.deliveries, [d for page in pages for d in page.deliveries])
            self.assertEqual(self.last_position, pages[-1].position)

    def test_list_events_by_filter(self):
        listed = self.listed(filter={"event_names": [webhooks.PASS], "client_ids": ["client-1"]}, page_size=2)
        expected = [d for n, d in enumerate(self.deliveries) if n % 3 == 2 and n % 2 == 1]
        self.assertEqual(expected, listed)

    def test_list_events_by_time_is_half_open(self):
        begin, end = self.deliveries[5].stored_at, self.deliveries[15].stored_at
        expected = [
            d
            for d in self.deliveries
            if begin.ToNanoseconds() <= d.stored_at.ToNanoseconds() < end.ToNanoseconds()
        ]
        self.assertTrue(expected)
        self.assertEqual(expected, self.listed(stored_from=begin, stored_until=end, page_size=3))
        self.assertEqual([], self.listed(stored_until=timestamp_pb2.Timestamp(seconds=1)))

    def test_list_events_by_refund(self):
        wanted = self.deliveries[7]
        self.assertEqual([wanted], self.listed(refund_id=wanted.event.refund.id))
        self.assertEqual([], self.listed(refund_id="unknown"))
        # The samples' own payment gateway ids, one for each type, so that many events share one.
        gateway_id = self.deliveries[0].event.refund.payment_gateway_refund_id
        same = [d for d in self.deliveries if d.event.refund.payment_gateway_refund_id == gateway_id]
        self.assertGreater(len(same), 5)
        self.assertEqual(same, self.listed(payment_gateway_refund_id=gateway_id))
        for page_size in (1, 3):
            pages = self.pages(payment_gateway_refund_id=gateway_id, page_size=page_size)
            self.assertTrue(all(len(page.deliveries) <= page_size for page in pages))
            self.assertEqual(same, [d for page in pages for d in page.deliveries])
            self.assertEqual(self.last_position, pages[-1].position)
        one = same[2]
        both = {"payment_gateway_refund_id": gateway_id, "refund_id": one.event.refund.id}
        self.assertEqual([one], self.listed(**both))
        self.assertEqual([], self.listed(**{**both, "payment_gateway_refund_id": "another"}))

    def test_list_events_by_refund_with_filter_and_time(self):
        gateway_id = self.deliveries[0].event.refund.payment_gateway_refund_id
        same = [d for d in self.deliveries if d.event.refund.payment_gateway_refund_id == gateway_id]
        of_client = [d for d in same if d.event.refund.client_id == "client-0"]
        self.assertTrue(0 < len(of_client) < len(same))
        listed = self.listed(payment_gateway_refund_id=gateway_id, filter={"client_ids": ["client-0"]}, page_size=1)
        self.assertEqual(of_client, listed)
        begin, end = same[1].stored_at, same[3].stored_at
        between = [d for d in same if begin.ToNanoseconds() <= d.stored_at.ToNanoseconds() < end.ToNanoseconds()]
        listed = self.listed(payment_gateway_refund_id=gateway_id, stored_from=begin, stored_until=end, page_size=1)
        self.assertEqual(between, listed)

    def test_list_events_without_personal_data(self):
        listed = self.listed(omit_personal_data=True)
        self.assertEqual(self.ids, [d.event.event_id for d in listed])
        for whole, delivery in zip(self.deliveries, listed):
            self.assertTrue(whole.event.HasField("user") and whole.event.webhook_sha256)
            event = delivery.event
            self.assertFalse(event.HasField("user") or event.HasField("client_info") or event.webhook_sha256)

    def test_subscribe_goes_on_where_a_listing_ended(self):
        page = self.events.ListEvents(service.ListEventsRequest(page_size=10), timeout=DEADLINE)
        with subscription(self.relay, after=page.position, stop_when_caught_up=True) as stream:
            self.assertEqual(self.ids[10:], stream.read_to_end())

    def test_log_info(self):
        info = self.events.GetLogInfo(service.GetLogInfoRequest(), timeout=DEADLINE)
        self.assertEqual((1, 25), (info.first_sequence, info.last_sequence))
        self.assertEqual(self.last_position, info.last_position)
        self.assertEqual(self.last_position.log_id, info.log_id)
        self.assertEqual(self.deliveries[0].stored_at, info.first_stored_at)
        self.assertEqual(self.deliveries[-1].stored_at, info.last_stored_at)
        self.assertFalse(info.HasField("restored_from"))
        self.assertTrue(info.server_instance)
        self.assertRegex(info.server_version, r"^\d+\.\d+\.\d+")


if __name__ == "__main__":
    unittest.main()
