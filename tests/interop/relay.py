"""Runs a refund-relay server for a test: free ports, a temporary folder, its log watched, stopped by its pid."""

import base64
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import grpc

from refundrelay.v1 import admin_service_pb2_grpc
from refundrelay.v1 import refund_event_service_pb2_grpc

SECRET = "interop-webhook-secret"
BASIC_USER = "interop-key"
BASIC_PASSWORD = "interop:secret with spaces"

BIN = os.environ["REFUND_RELAY_BIN"]
SANITIZE = os.environ.get("REFUND_RELAY_SANITIZE", "")

# How long a test waits for something that should happen before it fails; never how long it sleeps.
DEADLINE = 120 if SANITIZE else 30


def _asan_options(options):
    return {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":" + options} if SANITIZE else {}


# AddressSanitizer keeps 256 MB of freed memory back by default, and 1 MB for each thread: tests that look at how much
# memory there is ask for less of that.
LITTLE_QUARANTINE = _asan_options("quarantine_size_mb=4:thread_local_quarantine_size_kb=64")
# It keeps the content, too, where other allocators soon use it again: such as the last line of a PEM file in OpenSSL's
# decoder of base64 (EVP_ENCODE_CTX), which nobody can wipe from outside.
WIPED_WHEN_FREED = _asan_options("max_free_fill_size=1048576:free_fill_byte=0")

_SANITIZER_MARKS = ("Sanitizer", "runtime error:")


def _environment():
    """This process's, without what would be settings of a server."""
    return {k: v for k, v in os.environ.items() if not k.startswith("REFUND_RELAY_")}


def run_to_end(*flags):
    """Runs a server that is to refuse to start, with these flags alone; returns its exit code and what it wrote."""
    command = [os.path.join(BIN, "refund-relay"), *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, env=_environment())
    return done.returncode, done.stderr


class Relay:
    """One server and its data folder. Use as a context manager; `start` again after `kill` or `stop`."""

    def __init__(self, *flags, secret=SECRET, environment=None):
        self.folder = tempfile.mkdtemp(prefix="refund-relay-interop-")
        self.flags = list(flags)
        self.environment = environment or {}
        self.wrapper = []  # a command that runs the server's command
        self.stdin = subprocess.DEVNULL
        self.stdout = subprocess.DEVNULL
        self.process = None
        self.lines = []
        self._ready = None
        self._first_line = 0
        self._lines_changed = threading.Condition()
        self._reader = None
        self._channels = []
        self.write_file("secrets", secret + "\n")
        self.write_file("basic", f"{BASIC_USER}:{BASIC_PASSWORD}\n")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, failed, *_):
        for channel in self._channels:
            channel.close()
        try:
            if self.process is not None:
                code = self.stop()
                if not failed and code != 0:
                    raise AssertionError(f"the server ended with {code}; its last lines:\n{self.tail()}")
        finally:
            if failed:
                print(f"the server's last lines:\n{self.tail()}", flush=True)
            shutil.rmtree(self.folder, ignore_errors=True)

    def write_file(self, name, text):
        """Writes a file of this server's folder, or replaces it as a whole: `secrets` and `basic` are read by it."""
        path = os.path.join(self.folder, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path + ".new", 0o600)
        os.replace(path + ".new", path)
        return path

    @property
    def data_dir(self):
        return os.path.join(self.folder, "data")

    def start(self):
        """Starts the server and waits until its log says that it is ready."""
        self.launch()
        deadline = time.monotonic() + DEADLINE
        with self._lines_changed:
            while self._ready is None:
                if self.process.poll() is not None and not self._reader.is_alive():
                    code = self.process.returncode
                    self.process = None
                    raise AssertionError(f"the server ended with {code} before it was ready:\n{self.tail()}")
                if not self._lines_changed.wait(0.2) and time.monotonic() > deadline:
                    raise AssertionError(f"the server was not ready within {DEADLINE} s:\n{self.tail()}")

    def launch(self):
        """Starts the server and does not wait."""
        assert self.process is None, "already running"
        self._ready = None
        self._first_line = len(self.lines)
        command = [
            *self.wrapper,
            os.path.join(BIN, "refund-relay"),
            "--http_address=127.0.0.1:0",
            "--grpc_address=127.0.0.1:0",
            "--admin_address=127.0.0.1:0",
            f"--data_dir={self.data_dir}",
            f"--webhook_secret_files={self.folder}/secrets",
            f"--webhook_basic_files={self.folder}/basic",
            "--drain_delay=0s",
            *self.flags,
        ]
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=self.stdout, stdin=self.stdin,
            env={**_environment(), **self.environment},
        )
        self._reader = threading.Thread(target=self._read_lines, args=(self.process.stderr,), daemon=True)
        self._reader.start()

    def _read_lines(self, stream):
        with stream:
            for raw in stream:
                line = raw.decode("utf-8", "replace").rstrip("\n")
                with self._lines_changed:
                    self.lines.append(line)
                    if self._ready is None:
                        try:
                            record = json.loads(line)
                        except ValueError:
                            record = None
                        if isinstance(record, dict) and record.get("message") == "ready":
                            self._ready = record
                    self._lines_changed.notify_all()
        with self._lines_changed:
            self._lines_changed.notify_all()

    def wait_for_line(self, predicate):
        """Returns the first log record since the last start that satisfies `predicate`, waiting for it."""
        deadline = time.monotonic() + DEADLINE
        seen = self._first_line
        with self._lines_changed:
            while True:
                for line in self.lines[seen:]:
                    record = json.loads(line)
                    if predicate(record):
                        return record
                seen = len(self.lines)
                if time.monotonic() > deadline:
                    raise AssertionError(f"no such line within {DEADLINE} s:\n{self.tail()}")
                self._lines_changed.wait(0.2)

    def tail(self):
        return "\n".join(self.lines[-40:])

    def address(self, which):
        """`which` is http, grpc or admin; returns (host, port)."""
        host, port = self._ready[f"{which}_address"].rsplit(":", 1)
        return host, int(port)

    def signal_stop(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self):
        """Waits for the server to end; returns its exit code. Fails if a sanitizer has complained."""
        try:
            code = self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait()
            self.process = None
            raise AssertionError(f"the server did not end within {DEADLINE} s of SIGTERM:\n{self.tail()}") from None
        self.process = None
        self._reader.join(DEADLINE)
        complaints = [line for line in self.lines if any(mark in line for mark in _SANITIZER_MARKS)]
        assert not complaints, "a sanitizer complained:\n" + "\n".join(self.lines[-200:])
        return code

    def stop(self):
        self.signal_stop()
        return self.wait()

    def kill(self):
        """As a power cut would, but for the disk: SIGKILL."""
        self.process.kill()
        return self.wait()

    # ---- talking to it ----

    def channel(self, *options):
        # A connection of its own: grpcio shares connections between channels with equal options otherwise.
        channel = grpc.insecure_channel(
            "%s:%d" % self.address("grpc"), options=[("grpc.use_local_subchannel_pool", 1), *options]
        )
        self._channels.append(channel)
        return channel

    def events(self):
        """A stub of RefundEventService on a connection of its own."""
        return refund_event_service_pb2_grpc.RefundEventServiceStub(self.channel())

    def admin(self):
        return admin_service_pb2_grpc.AdminServiceStub(self.channel())

    def http(self):
        return http.client.HTTPConnection(*self.address("http"), timeout=DEADLINE)

    def post(self, body, headers=None, path="/webhooks/refund"):
        """Posts a raw body on a connection of its own; returns (status, answer parsed from JSON, headers)."""
        connection = self.http()
        try:
            connection.request("POST", path, body, {"Content-Type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null"), answer.headers
        finally:
            connection.close()

    def admin_get(self, path):
        """Returns (status, content type, text)."""
        connection = http.client.HTTPConnection(*self.address("admin"), timeout=DEADLINE)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.headers.get("Content-Type", ""), answer.read().decode()
        finally:
            connection.close()


def basic_header(user=BASIC_USER, password=BASIC_PASSWORD):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
