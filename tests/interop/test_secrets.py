"""Nothing secret or personal leaves by a side door: a whole run's logs, errors, metrics, help; memory; files; core dumps."""

import http.client
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import unittest

import grpc
from refundrelay.v1 import admin_service_pb2 as admin

import webhooks
from authority import Authority
from certificates import SecretVolume, nth_read
from emitted import OWN_NAME, OWN_TEXT, personal_texts
from process_memory import found_in_memory
from relay import BASIC_PASSWORD, BASIC_USER, BIN, DEADLINE, WIPED_WHEN_FREED, Relay, basic_header
from secret_run import SecretRun


class WholeRunTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.run_of_all = SecretRun()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.run_of_all.folder)

    def test_nothing_secret_or_personal_is_emitted(self):
        texts = [*self.run_of_all.secrets(), *personal_texts()]
        self.assertGreater(len(texts), 40)
        for emitted in (self.run_of_all.ours, self.run_of_all.answers):
            self.assertEqual([], emitted.find(texts))

    def test_what_clients_and_strangers_say_is_in_no_log_metric_or_page_of_ours(self):
        self.assertEqual([], self.run_of_all.ours.find([OWN_TEXT, OWN_NAME]))
        # They may hear it again.
        self.assertTrue(self.run_of_all.answers.find([OWN_TEXT]))

    def test_a_planted_text_is_found(self):
        found = {where.split(" ")[1] for _, where in self.run_of_all.ours.find(["planted-1-data"])}
        self.assertIn("stderr", found)
        self.assertTrue(any(where.endswith("/cmdline") for where in found), found)
        for text in ("refund_relay_build_info", "certificate NOT used", "NOT read", "DAMAGED", "cannot start", "Usage:",
                     "stopped reading", "opening the log"):
            self.assertTrue(self.run_of_all.ours.find([text]), text)

    def test_every_line_of_a_server_is_json_also_what_grpc_says(self):
        records = [json.loads(line) for where, line in self.run_of_all.ours.pieces if where == "server stderr"]
        self.assertLess(100, len(records))
        self.assertIn("gRPC reports", {record["message"] for record in records})

    def test_the_run_was_everywhere(self):
        run = self.run_of_all
        self.assertLessEqual({200, 400, 401, 404, 405, 411, 413, 415, 417, 422, 431}, run.http_statuses)
        code = grpc.StatusCode
        self.assertLessEqual({code.UNAUTHENTICATED, code.PERMISSION_DENIED, code.INVALID_ARGUMENT, code.NOT_FOUND, code.DATA_LOSS,
                              code.OUT_OF_RANGE, code.FAILED_PRECONDITION, code.ABORTED}, run.grpc_codes)
        self.assertLessEqual({"CREDENTIALS_MISSING", "CREDENTIALS_REJECTED", "NOT_ALLOWED", "EVENT_UNKNOWN", "CHECKSUM",
                              "POSITION_EXPIRED", "LOG_ID_CHANGED", "POSITION_AHEAD", "POSITION_MISMATCH", "VERSION_CHANGED",
                              "SLOW_SUBSCRIBER"}, run.grpc_reasons)
        self.assertEqual(set(admin.QuarantineReason.values()) - {0}, run.quarantine_reasons)
        self.assertLessEqual({0, 1, 2, 4}, set(run.exit_codes))

    def test_files_are_for_the_servers_user_alone_whatever_the_umask(self):
        names = {os.path.basename(path): mode for path, mode in self.run_of_all.permissions.items()}
        self.assertLessEqual({"planted-1-data", "events.db", "backups"}, set(names))
        self.assertTrue(any(name.endswith(".db") and name != "events.db" for name in names), names)
        for name, mode in names.items():
            self.assertEqual(0o700 if name in ("planted-1-data", "backups") else 0o600, mode, f"{name}: {oct(mode)}")

    def test_the_metric_tells_which_secret_is_in_use_by_file_and_line(self):
        counts = {}
        for labels, value in re.findall(r"^refund_relay_authentication_total\{(.*)\} (\S+)$", self.run_of_all.metrics, re.MULTILINE):
            series = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            if series["result"] == "authentic" and not series["method"].startswith("grpc"):
                counts[series["method"], series["key"]] = float(value)
        self.assertEqual({("signature", "secrets:1"), ("signature", "secrets:2"), ("basic", "basic:1")}, set(counts))
        self.assertEqual(2, counts["signature", "secrets:1"])  # the old secret: a webhook, and it again
        self.assertEqual(2, counts["basic", "basic:1"])


def pieces(text, size=12):
    """Of a text: what frees memory overwrites its beginning, so that only a piece would be left."""
    return {text[at:at + size].encode() for at in range(0, len(text) - size + 1, size)}


class MemoryTest(unittest.TestCase):
    def rotate(self, relay, secret):
        before = sum('"webhook credentials read"' in line for line in relay.lines)
        relay.write_file("secrets", secret + "\n")
        relay.process.send_signal(signal.SIGHUP)

        def read_again(record):
            nonlocal before
            before -= record["message"] == "webhook credentials read"
            return before < 0

        relay.wait_for_line(read_again)

    def test_a_secret_that_was_rotated_out_is_nowhere_in_memory(self):
        old, new = "kT9wLr3VxQ7mZp2BfE6uJd0Ai5tGyN8sKv4oRw1CqHbM", "pW4nHs8DyR6jXc1FzT9aLk3VbQ7mUe2GwO5iNr0SxYdJ"
        pair = f"{BASIC_USER}:{BASIC_PASSWORD}"
        with Relay("--allow_core_dumps", "--http_threads=2", secret=old) as relay:
            connections = [http.client.HTTPConnection(*relay.address("http"), timeout=DEADLINE) for _ in range(8)]
            # On many connections, so that every thread has signed; and kept open, so that none of them forgets.
            for number, connection in enumerate(connections):
                body = webhooks.encode(webhooks.webhook(number))
                for headers in (webhooks.signed(body, old), basic_header()):
                    connection.request("POST", "/webhooks/refund", body, {"Content-Type": "application/json", **headers})
                    answer = connection.getresponse()
                    self.assertEqual(200, answer.status, answer.read())
                    answer.read()
            everything = pieces(old) | pieces(new) | pieces(pair)
            self.assertEqual(pieces(old), found_in_memory(relay.process.pid, everything))
            self.rotate(relay, new)
            self.assertEqual(pieces(new), found_in_memory(relay.process.pid, everything))
            for connection in connections:
                connection.close()


    def test_the_key_file_that_was_replaced_is_nowhere_in_memory(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="refund-relay-memory-"))
        authority = Authority(folder)
        volume = os.path.join(folder, "volume")
        os.mkdir(volume)
        volume = SecretVolume(volume)
        old, new = authority.issue(), authority.issue()
        cert, key = volume.put(tls_crt=old[0], tls_key=old[1])
        # The middle of its text, line breaks and all.
        old_key, new_key = (pieces(pair[1][60:180], 20) for pair in (old, new))
        flags = ["--allow_core_dumps", f"--http_tls_cert_file={cert}", f"--http_tls_key_file={key}"]
        with Relay(*flags, environment=WIPED_WHEN_FREED) as relay:
            self.assertEqual(old_key, found_in_memory(relay.process.pid, old_key | new_key))
            volume.put(tls_crt=new[0], tls_key=new[1])
            relay.process.send_signal(signal.SIGHUP)
            relay.wait_for_line(nth_read(2))
            self.assertEqual(new_key, found_in_memory(relay.process.pid, old_key | new_key))


def core_limits(pid):
    with open(f"/proc/{pid}/limits", encoding="ascii") as file:
        (line,) = (line for line in file if line.startswith("Max core file size"))
    return line.split()[4:6]


class CoreDumpTest(unittest.TestCase):
    def core_limits(self, *flags):
        with Relay(*flags) as relay:
            return core_limits(relay.process.pid), "core dumps are allowed" in "".join(relay.lines)

    def test_refundctl_leaves_none(self):
        with Relay() as relay:
            command = [os.path.join(BIN, "refundctl"), "--address=%s:%d" % relay.address("grpc"), "tail", "--name=books",
                       "--from=earliest"]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tail:
                try:
                    webhooks.send(relay, webhooks.webhook(1))
                    self.assertTrue(tail.stdout.readline())  # it runs
                    self.assertEqual(["0", "0"], core_limits(tail.pid))
                finally:
                    tail.terminate()

    def test_they_are_off_by_default_and_as_the_system_has_them_if_allowed_with_a_warning(self):
        self.assertEqual((["0", "0"], False), self.core_limits())
        inherited = resource.getrlimit(resource.RLIMIT_CORE)[1]
        (_, hard), warned = self.core_limits("--allow_core_dumps")  # sanitizers set the soft limit themselves
        self.assertEqual("unlimited" if inherited == resource.RLIM_INFINITY else str(inherited), hard)
        self.assertTrue(warned)


if __name__ == "__main__":
    unittest.main()
