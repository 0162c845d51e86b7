"""Files with credentials under a running server: rotation, an emptied file, SIGHUP; and files that prevent a start."""

import os
import signal
import tempfile
import time
import unittest

import webhooks
from relay import DEADLINE, SECRET, Relay, run_to_end

METRIC = "refund_relay_config_last_reload_successful"
COUNT = "refund_relay_webhook_credentials"


def send_signed(relay, number, secret):
    """Returns the status of a webhook that is signed by `secret`."""
    body = webhooks.encode(webhooks.webhook(number))
    return relay.post(body, webhooks.signed(body, secret))[0]


def was_read(credentials):
    return lambda record: record["message"] == "webhook credentials read" and record["credentials"] == credentials


class RunningServerTest(unittest.TestCase):
    def reload_successful(self, relay, expected):
        self.metric_says(relay, METRIC, expected)

    def metric_says(self, relay, name, expected):
        """Waits until the metric of the file with secrets says so."""
        sample = f'{name}{{file="{relay.folder}/secrets"}} {expected}\n'
        end = time.monotonic() + DEADLINE
        while sample not in relay.admin_get("/metrics")[2]:
            self.assertLess(time.monotonic(), end, sample)

    def test_a_changed_secret_is_taken_up_and_the_old_one_refused(self):
        with Relay() as relay:
            self.assertEqual(200, send_signed(relay, 1, SECRET))
            self.assertEqual(401, send_signed(relay, 2, "another"))
            relay.write_file("secrets", f"{SECRET}\nanother\n")
            relay.wait_for_line(was_read(2))
            self.metric_says(relay, COUNT, 2)
            self.assertEqual([200, 200], [send_signed(relay, 3, SECRET), send_signed(relay, 4, "another")])
            relay.write_file("secrets", "a third\nanother\na fourth\n")
            relay.wait_for_line(was_read(3))
            self.assertEqual([401, 200], [send_signed(relay, 5, SECRET), send_signed(relay, 6, "another")])

    def test_an_emptied_file_changes_nothing_and_shows(self):
        with Relay() as relay:
            self.reload_successful(relay, 1)
            relay.write_file("secrets", "\n")
            record = relay.wait_for_line(lambda record: "stays in force" in record["message"])
            self.metric_says(relay, COUNT, 1)
            self.assertEqual(("error", f"{relay.folder}/secrets"), (record["level"], record["file"]))
            self.assertNotIn(SECRET, relay.tail())
            self.reload_successful(relay, 0)
            self.assertEqual([200, 401], [send_signed(relay, 1, SECRET), send_signed(relay, 2, "")])
            relay.write_file("secrets", "another\nand one more\n")
            relay.wait_for_line(was_read(2))
            self.reload_successful(relay, 1)
            self.assertEqual([401, 200], [send_signed(relay, 3, SECRET), send_signed(relay, 4, "another")])

    def test_sighup_reads_at_once(self):
        rounds = 10
        with Relay() as relay:
            begun = time.monotonic()
            for count in range(2, 2 + rounds):
                relay.write_file("secrets", "".join(f"secret {n}\n" for n in range(count)))
                relay.process.send_signal(signal.SIGHUP)
                relay.wait_for_line(was_read(count))
            # By itself the server looks once a second and believes what it has seen twice.
            self.assertLess(time.monotonic() - begun, rounds)
            self.assertEqual(200, send_signed(relay, 1, "secret 10"))


class StartTest(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="refund-relay-start-"))
        self.good = self.file("good", "secret\n")

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def refusal(self, *flags):
        code, text = run_to_end("--http_address=127.0.0.1:0", "--grpc_address=127.0.0.1:0",
                                "--admin_address=127.0.0.1:0", *flags)
        self.assertEqual(1, code, text)
        self.assertIn("cannot start", text)
        self.assertNotIn("stays in force", text)
        return text

    def test_each_refusal_names_the_flag_the_file_and_the_way_out(self):
        missing = os.path.join(self.folder, "missing")
        empty = self.file("empty", "")
        no_pair = self.file("no_pair", "nobody\n")
        data = f"--data_dir={self.folder}/data"
        for flags, expected in (
            ([data, f"--webhook_secret_files={missing}"],
             f"--webhook_secret_files: cannot read {missing}: No such file or directory; correct the file, or the flag"),
            ([data, f"--webhook_secret_files={self.good},{empty}"],
             f"--webhook_secret_files: {empty} holds no credential; write one a line"),
            ([data, f"--webhook_basic_files={no_pair}"],
             f"--webhook_basic_files: {no_pair}, line 1: is not `user:password`"),
            ([f"--data_dir={self.good}", f"--webhook_secret_files={self.good}"],
             f"--data_dir: the data directory {self.good} is not a directory; name a folder"),
        ):
            with self.subTest(flags):
                self.assertIn(expected, self.refusal(*flags))


if __name__ == "__main__":
    unittest.main()
