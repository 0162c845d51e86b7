"""Every alert is fired by its real fault, in a real server that a real Prometheus scrapes, and clears when it is mended.

The rules are the chart's, scaled down in time by one factor (alert_rules.py); a server each fault, all at once. A server
that nothing is wrong with stands beside them, and nothing may fire there.
"""

import functools
import os
import threading
import time
import traceback
import unittest

import alert_rules
import server_faults
import storage_faults
import subscriber_faults
import webhook_faults
import webhooks
from alert_fault import FAULTS, commit, read_on
from alert_site import Server, Site, Watch
from prometheus import Prometheus
from relay import DEADLINE
from stream import EARLIEST, Stream, request

FAULT_MODULES = (server_faults, storage_faults, subscriber_faults, webhook_faults)  # they register their faults
HEALTHY = "healthy"
# For tests/operations/break_alerts.py only: an expression that stands in for each rule's own.
INSTEAD = os.environ.get("REFUND_RELAY_ALERT_EXPRESSION")


class AlertsTest(unittest.TestCase):
    def rules(self):
        content = alert_rules.scaled(alert_rules.load())
        return alert_rules.broken(content, INSTEAD) if INSTEAD else content

    def break_and_mend(self, site, name, function):
        begun = time.monotonic()
        try:
            function(functools.partial(Server, site, name), site)
        except Exception as error:  # of a thread: told by the test at the end
            site.failed(f"{name}: {error!r}")
            traceback.print_exc()
        print(f"{name}: {time.monotonic() - begun:.0f} s", flush=True)

    def test_every_alert_fires_by_its_fault_and_clears(self):
        self.assertEqual({module.__name__ for module in FAULT_MODULES}, {function.__module__ for _, function, _ in FAULTS})
        rules = self.rules()
        with Prometheus(rules) as prometheus, Watch(prometheus) as watch:
            site = Site(prometheus, watch)
            with Server(site, HEALTHY) as healthy:
                webhooks.send(healthy, webhooks.webhook(0))
                stream = Stream(healthy.events(), request(subscriber_name="healthy", start_from=EARLIEST),
                                timeout=20 * DEADLINE)
                stream.read_until("caught_up")
                commit(healthy, "healthy")
                reader = threading.Thread(target=read_on, args=(stream,), daemon=True)
                reader.start()
                threads = [threading.Thread(target=self.break_and_mend, args=(site, name, function))
                           for name, function, _ in FAULTS]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                self.assertTrue(reader.is_alive(), "the healthy subscriber has lost its stream")
            # Prometheus has no target now.
            if site.check("RefundRelayAbsent", "", True):
                with Server(site, HEALTHY):
                    if site.check("RefundRelayAbsent", "", False):
                        site.succeeded("RefundRelayAbsent")
            print(f"{len(watch.waits)} waits, the longest: {sorted(watch.waits)[-5:]}")
            for name, _, allowed in FAULTS:
                for alert, instance in sorted(watch.ever):
                    if instance == name and alert not in allowed:
                        site.failed(f"{alert} fired at {name}")
            for alert, instance in sorted(watch.ever):
                if instance == HEALTHY:
                    site.failed(f"{alert} fired where nothing is wrong")
        for alert in sorted({rule["alert"] for rule in alert_rules.rules(rules)} - site.fired):
            site.failed(f"{alert} has not fired and cleared")
        self.assertEqual([], site.failures, "\n" + "\n".join(site.failures))


if __name__ == "__main__":
    unittest.main()
