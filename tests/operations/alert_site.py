"""One Prometheus over many servers: what fires where, and servers that it goes on scraping when they start again."""

import itertools
import os
import re
import threading
import time

from relay import DEADLINE, Relay

# Where rules are broken on purpose, waiting in vain is what is expected: less of it is enough.
PATIENCE = float(os.environ.get("REFUND_RELAY_ALERT_PATIENCE", DEADLINE * 2))


class Watch:
    """Follows the alerts of a Prometheus on a thread of its own."""

    def __init__(self, prometheus):
        self._prometheus = prometheus
        self._changed = threading.Condition()
        self._firing = set()
        self._stopping = threading.Event()
        self._failure = None
        self.ever = set()  # (alert, instance) that was firing at some time
        self.waits = []  # (seconds, alert, instance, firing): how long each wait took
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._thread.join()

    def _run(self):
        try:
            while not self._stopping.wait(0.2):
                alerts = self._prometheus.api("alerts")["alerts"]
                firing = {(alert["labels"]["alertname"], alert["labels"].get("instance", ""))
                          for alert in alerts if alert["state"] == "firing"}
                with self._changed:
                    self._firing = firing
                    self.ever |= firing
                    self._changed.notify_all()
        except (OSError, AssertionError) as error:
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def is_firing(self, alert, instance):
        with self._changed:
            return (alert, instance) in self._firing

    def wait(self, alert, instance, firing):
        """Waits until the alert fires, or does not; false if it does not come to that."""
        begun = time.monotonic()
        with self._changed:
            came = self._changed.wait_for(
                lambda: self._failure or ((alert, instance) in self._firing) == firing, PATIENCE)
            assert self._failure is None, self._failure
            self.waits.append((time.monotonic() - begun, alert, instance, firing))
            return came


class Site:
    """A Prometheus, the watch over it, and what went otherwise than expected."""

    def __init__(self, prometheus, watch):
        self.prometheus = prometheus
        self.watch = watch
        self._lock = threading.Lock()
        self.failures = []  # texts
        self.fired = set()  # alerts that fired and cleared as they should

    def check(self, alert, instance, firing):
        if self.watch.wait(alert, instance, firing):
            return True
        with self._lock:
            self.failures.append(f"{alert} does not {'fire' if firing else 'clear'} at {instance}")
        return False

    def succeeded(self, alert):
        with self._lock:
            self.fired.add(alert)

    def failed(self, text):
        with self._lock:
            self.failures.append(text)


class Server(Relay):
    """A server with the name that Prometheus knows it by. Its admin address outlives restarts: 127.0.0.0/8 is all
    loopback, and on an address that only this test uses the port is free."""

    _number = itertools.count(1)

    def __init__(self, site, instance, *flags):
        host = "127.%d.%d.%d" % (10 + os.getpid() // 256 % 90, os.getpid() % 256, next(self._number))
        super().__init__(f"--admin_address={host}:8081", *flags)
        self._site = site
        self.instance = instance

    def start(self):
        super().start()
        self._site.prometheus.target(self.instance, self.address("admin"))
        # A counter that rises before its first scrape has not risen for Prometheus.
        self._site.prometheus.wait_for("a scrape", lambda: self._site.prometheus.query(
            f'up{{instance="{self.instance}"}} == 1'))

    def __exit__(self, failed, *rest):
        # What is taken down on purpose is no fault; Prometheus takes up to five seconds to hear of it.
        self._site.prometheus.target(self.instance, None)
        self._site.prometheus.wait_for("it is scraped no more", lambda: not self._is_scraped())
        super().__exit__(failed, *rest)

    def _is_scraped(self):
        targets = self._site.prometheus.api("targets", state="active")["activeTargets"]
        return any(target["labels"]["instance"] == self.instance for target in targets)

    def fires(self, *alerts):
        """Waits until each fires; what does not is remembered as a failure, and the test goes on."""
        for alert in alerts:
            self._site.check(alert, self.instance, True)

    def clears(self, *alerts):
        for alert in alerts:
            if self._site.check(alert, self.instance, False) and (alert, self.instance) in self._site.watch.ever:
                self._site.succeeded(alert)

    def is_firing(self, alert):
        return self._site.watch.is_firing(alert, self.instance)

    def metric(self, series):
        """The present value of a series by its whole name; None when it is not there."""
        found = re.search(rf"^{re.escape(series)} (\S+)$", self.admin_get("/metrics")[2], re.MULTILINE)
        return float(found[1]) if found else None
