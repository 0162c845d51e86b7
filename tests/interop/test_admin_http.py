"""The admin port: alive, ready, and metrics that count what happened."""

import re
import unittest

import webhooks
from relay import Relay
from stream import EARLIEST, subscription


def metric(text, name, **labels):
    """The value of one series; 0 if it is not there (yet)."""
    for line in text.splitlines():
        match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if match and match[1] == name and dict(re.findall(r'(\w+)="([^"]*)"', match[2] or "")).items() >= labels.items():
            return float(match[3])
    return 0.0


class AdminHttpTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.relay = cls.enterClassContext(Relay())

    def metrics(self):
        status, content_type, text = self.relay.admin_get("/metrics")
        self.assertEqual(200, status)
        self.assertRegex(content_type, r"^text/plain; ?version=0\.0\.4")
        return text

    def test_alive_and_ready(self):
        self.assertEqual(200, self.relay.admin_get("/livez")[0])
        status, content_type, _ = self.relay.admin_get("/readyz")
        self.assertEqual(200, status)
        self.assertIn("json", content_type)
        self.assertEqual(200, self.relay.admin_get("/readyz?exclude=storage")[0])

    def test_other_paths_are_404(self):
        self.assertEqual(404, self.relay.admin_get("/")[0])

    def test_webhooks_and_log_are_counted(self):
        def results(text):
            return {r: metric(text, "refund_relay_webhooks_total", result=r) for r in ("accepted", "duplicate")}

        before = results(self.metrics())
        webhooks.send_many(self.relay, 0, 5)
        webhooks.send(self.relay, webhooks.webhook(0))
        text = self.metrics()
        after = results(text)
        self.assertEqual({"accepted": 5, "duplicate": 1}, {k: after[k] - before[k] for k in after})
        self.assertEqual(5, metric(text, "refund_relay_log_last_sequence"))
        self.assertGreater(metric(text, "refund_relay_log_bytes"), 0)
        self.assertIn("refund_relay_webhook_duration_seconds_bucket", text)
        self.assertIn("refund_relay_authentication_total{", text)
        self.assertIn("refund_relay_append_batch_events", text)

    def test_streams_are_counted(self):
        with subscription(self.relay, start_from=EARLIEST, subscriber_name="counted") as stream:
            stream.read_until("caught_up")
            self.assertEqual(1, metric(self.metrics(), "refund_relay_subscriber_streams"))


if __name__ == "__main__":
    unittest.main()
