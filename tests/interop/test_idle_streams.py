"""5,000 streams that wait at once: all live, all get the next event, none is left when they go."""

import time
import unittest

import webhooks
from fleet import Fleet
from relay import DEADLINE, Relay
from test_admin_http import metric

STREAMS = 5000


class IdleStreamsTest(unittest.TestCase):
    def test_five_thousand_idle_streams_all_get_the_next_event(self):
        subscribers = [{"name": f"idle-{n}", "filter": {}, "begin": "now"} for n in range(STREAMS)]
        with Relay() as relay:
            with Fleet("%s:%d" % relay.address("grpc"), subscribers, last_sequence=1) as fleet:
                fleet.wait_until_started()
                text = relay.admin_get("/metrics")[2]
                self.assertEqual(STREAMS, metric(text, "refund_relay_subscriber_streams"))
                sent = webhooks.send(relay, webhooks.webhook(1))
                received = fleet.finish()
            self.assertEqual(STREAMS, len(received))
            self.assertEqual([[[1, sent["event_id"]]]] * STREAMS, list(received.values()))
            end = time.monotonic() + DEADLINE
            while metric(relay.admin_get("/metrics")[2], "refund_relay_subscriber_streams") != 0:
                self.assertLess(time.monotonic(), end, "streams are left over")


if __name__ == "__main__":
    unittest.main()
