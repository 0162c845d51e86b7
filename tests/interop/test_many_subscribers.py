"""500 subscribers at once, each with its own filter, each receives exactly its events while 10,000 webhooks arrive."""

import threading
import time
import unittest

import webhooks
from fleet import Fleet
from load import Load
from relay import DEADLINE, Relay
from test_admin_http import metric

SUBSCRIBERS = 500
WEBHOOKS = 10_000
PROCESSES = 2
CLIENTS = 500
NAMES = (*webhooks.SAMPLES, webhooks.BUNDLE)


def client(number):
    return f"client-{number % CLIENTS:03d}"


def filter_of(index):
    """A filter that no other subscriber has."""
    shapes = (
        {"client_ids": [client(index)]},
        {"client_ids": [client(index), client(index + 7)], "event_types": [1 + index % 3]},
        {"client_ids": [client(index + 1), client(index + 100), client(index + 200)]},
        {"client_ids": [client(index), client(index + 1)], "event_names": [webhooks.BUNDLE]},
        {"client_ids": [client(index), client(index + 31)], "event_types": [2], "event_names": [webhooks.PASS]},
    )
    return shapes[index % len(shapes)]


def matches(wanted, made):
    names = [NAMES[number - 1] for number in wanted.get("event_types", [])] + wanted.get("event_names", [])
    name_fits = not names or made["event"] in names
    return name_fits and made["payload"]["refund"]["clientId"] in wanted["client_ids"]


class ManySubscribersTest(unittest.TestCase):
    def test_each_receives_exactly_its_events(self):
        subscribers = [
            # A third joins in the middle of the load, and so goes from history to live.
            {"name": f"subscriber-{n}", "filter": filter_of(n), "begin": "later" if n % 3 == 2 else "now"}
            for n in range(SUBSCRIBERS)
        ]
        made = [webhooks.webhook(n, NAMES[(n // CLIENTS) % 4], client(n)) for n in range(WEBHOOKS)]
        with Relay() as relay:
            fleets = [
                self.enterContext(Fleet("%s:%d" % relay.address("grpc"), subscribers[part::PROCESSES], WEBHOOKS))
                for part in range(PROCESSES)
            ]
            for fleet in fleets:
                fleet.wait_until_started()
            load = Load(relay.address("http"), made).start()
            load.wait_for_answers(WEBHOOKS // 4)
            results = {}
            readers = [
                threading.Thread(target=lambda fleet=fleet: results.update(fleet.finish())) for fleet in fleets
            ]
            for reader in readers:
                reader.start()
            load.join()
            self.assertEqual([], load.failures)
            for reader in readers:
                reader.join()
            self.await_audit(relay)
        self.assertEqual(WEBHOOKS, len(load.answers))
        for subscriber in subscribers:
            expected = sorted(
                [load.answers[event_id]["sequence"], event_id]
                for event_id in map(webhooks.event_id, (m for m in made if matches(subscriber["filter"], m)))
            )
            self.assertTrue(expected, "a filter that matches nothing would prove nothing")
            self.assertEqual(expected, results.get(subscriber["name"]), subscriber)


    def await_audit(self, relay):
        """Waits until the loss audit has seen all of these streams; it must have found nothing."""
        passed = SUBSCRIBERS * WEBHOOKS
        end = time.monotonic() + DEADLINE
        while True:
            text = relay.admin_get("/metrics")[2]
            checked, unchecked = (
                metric(text, f"refund_relay_loss_audit_{kind}_events_total") for kind in ("checked", "unchecked")
            )
            if checked + unchecked >= passed:
                break
            self.assertLess(time.monotonic(), end, f"{checked} checked, {unchecked} unchecked of {passed}")
        self.assertGreater(checked, 0)
        self.assertEqual(0, metric(text, "refund_relay_loss_audit_mismatch_events"))
        print(f"audited {checked:.0f} of {checked + unchecked:.0f} events that streams passed")


if __name__ == "__main__":
    unittest.main()
