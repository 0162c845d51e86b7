"""Runs Debian's Prometheus for a test: loopback, a port of its own, a temporary folder, ended by its pid."""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.parse

import yaml

from alert_rules import FACTOR
from debian_tools import tool
from relay import DEADLINE

SCRAPE_INTERVAL = f"{30_000 // FACTOR}ms"
LOOKBACK = f"{300_000 // FACTOR}ms"  # five minutes are Prometheus' own default


class Prometheus:
    """Scrapes servers of refund-relay under the job's name, each under an instance name that a restart does not change."""

    def __init__(self, rules=None):
        self.folder = tempfile.mkdtemp(prefix="refund-relay-prometheus-")
        self._lock = threading.Lock()
        self._targets = {}
        self._process = None
        self._port = None
        self._write_targets()
        self._write("rules.yaml", yaml.safe_dump(rules or {"groups": []}))
        self._write("prometheus.yaml", yaml.safe_dump({
            "global": {"scrape_interval": SCRAPE_INTERVAL, "scrape_timeout": SCRAPE_INTERVAL,
                       "evaluation_interval": SCRAPE_INTERVAL},
            "rule_files": [f"{self.folder}/rules.yaml"],
            "scrape_configs": [{"job_name": "refund-relay",
                                "file_sd_configs": [{"files": [f"{self.folder}/targets.json"]}]}],
        }))

    def _write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(path + ".new", path)

    def _write_targets(self):
        self._write("targets.json", json.dumps([
            {"targets": [address], "labels": {"instance": instance}} for instance, address in self._targets.items()
        ]))

    def target(self, instance, address):
        """Scrapes (host, port) under this name from now on; None: no more."""
        with self._lock:
            if address is None:
                self._targets.pop(instance, None)
            else:
                self._targets[instance] = "%s:%d" % address
            self._write_targets()

    def __enter__(self):
        self._log = open(os.path.join(self.folder, "log"), "w+", encoding="utf-8")
        self._process = subprocess.Popen(
            [tool("prometheus"), f"--config.file={self.folder}/prometheus.yaml",
             f"--storage.tsdb.path={self.folder}/data", "--web.listen-address=127.0.0.1:0",
             f"--query.lookback-delta={LOOKBACK}"],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
        )
        try:
            self.wait_for("ready", self._is_ready)
        except AssertionError as error:
            self.__exit__()
            raise AssertionError(f"{error}; it wrote:\n{self._tail}") from None
        return self

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(DEADLINE)
        self._log.seek(0)
        self._tail = self._log.read()[-3000:]
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _is_ready(self):
        assert self._process.poll() is None, "Prometheus has ended"
        with open(self._log.name, encoding="utf-8") as log:
            listening = re.search(r'msg="Listening on" address=127\.0\.0\.1:([0-9]+)', log.read())
        if listening is None:
            return False
        self._port = int(listening[1])
        return self._get("/-/ready")[0] == 200

    def _get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=DEADLINE)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def api(self, path, **arguments):
        """The `data` of an answer."""
        status, body = self._get(f"/api/v1/{path}?{urllib.parse.urlencode(arguments)}")
        answer = json.loads(body)
        assert status == 200 and answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression):
        """[(labels, value)] of an instant query."""
        return [(row["metric"], float(row["value"][1])) for row in self.api("query", query=expression)["result"]]

    def query_range(self, expression, seconds, step):
        """[(labels, [(time, value)])] of the last seconds."""
        now = time.time()
        data = self.api("query_range", query=expression, start=now - seconds, end=now, step=step)
        return [(row["metric"], [(at, float(value)) for at, value in row["values"]]) for row in data["result"]]

    @staticmethod
    def wait_for(what, condition, deadline=DEADLINE):
        """Polls until `condition()` is true; returns it."""
        end = time.monotonic() + deadline
        poll = threading.Event()
        while not (result := condition()):
            if time.monotonic() > end:
                raise AssertionError(f"not within {deadline} s: {what}")
            poll.wait(0.1)
        return result
