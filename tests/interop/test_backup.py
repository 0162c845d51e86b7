"""Verify, backup, restore, and volume snapshots: what subscribers notice when a log goes back in time."""

import glob
import json
import os
import shutil
import sqlite3
import subprocess
import time
import unittest

import grpc
from refundrelay.v1 import refund_event_service_pb2 as service

import webhooks
from relay import BIN, DEADLINE, Relay
from stream import COMMITTED, EARLIEST, event_ids, request, subscribe_error, subscription
from test_retention import metric


def run(*arguments, environment=None):
    """Runs a command of refund-relay; returns its exit code, stdout and stderr."""
    done = subprocess.run(
        [os.path.join(BIN, "refund-relay"), *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env={**os.environ, **(environment or {})},
    )
    return done.returncode, done.stdout, done.stderr


def read_to(relay, count):
    """The position after the first `count` events."""
    with subscription(relay, start_from=EARLIEST, max_batch_events=count, stop_when_caught_up=True) as stream:
        while len(stream.deliveries) < count:
            stream.read()
        assert len(stream.deliveries) == count
        return stream.position


class BackupTest(unittest.TestCase):
    def info(self, relay):
        return relay.events().GetLogInfo(service.GetLogInfoRequest(), timeout=DEADLINE)

    def restore(self, relay, path):
        """Puts a backup (a file) or a snapshot (a folder) in the place of the data folder of a stopped server."""
        shutil.rmtree(relay.data_dir)
        if os.path.isdir(path):
            shutil.copytree(path, relay.data_dir)
        else:
            os.mkdir(relay.data_dir, 0o700)
            shutil.copyfile(path, os.path.join(relay.data_dir, "events.db"))

    def refusal(self, error):
        self.assertEqual(grpc.StatusCode.FAILED_PRECONDITION, error.code, error.text)
        return error.reason

    def test_a_restored_backup_is_resumed_from_below_it_and_noticed_from_above(self):
        with Relay() as relay:
            ids = webhooks.send_many(relay, 0, 20)
            before = read_to(relay, 12)
            old_log_id = before.log_id
            relay.events().CommitPosition(
                service.CommitPositionRequest(subscriber_name="books", position=read_to(relay, 8)), timeout=DEADLINE
            )
            bad = b'{"event":"refunded.pass"}'
            self.assertEqual(422, relay.post(bad, webhooks.signed(bad))[0])

            backup = os.path.join(relay.folder, "backup.db")
            code, out, err = run("backup", f"--data_dir={relay.data_dir}", f"--to={backup}")
            self.assertEqual((0, ""), (code, err))
            self.assertIn(f"backup of             {old_log_id}, up to sequence 20", out)
            self.assertEqual(0o600, os.stat(backup).st_mode & 0o777)
            self.assertEqual((0, ""), run("verify", f"--file={backup}")[::2])
            at_backup = read_to(relay, 20)
            webhooks.send_many(relay, 20, 10)
            past = read_to(relay, 30)
            self.assertEqual(0, relay.stop())

            self.restore(relay, backup)
            relay.start()
            info = self.info(relay)
            self.assertNotEqual(old_log_id, info.log_id)
            self.assertEqual((old_log_id, 20), (info.restored_from.log_id, info.restored_from.last_sequence))
            self.assertEqual((1, 20), (info.first_sequence, info.last_sequence))

            error = subscribe_error(relay, request(after=past))
            self.assertEqual("LOG_ID_CHANGED", self.refusal(error))
            self.assertEqual(
                {"log_id": old_log_id, "last_sequence": "20"}, json.loads(error.metadata["restored_from"])
            )
            self.assertIn("lies past the backup", error.text)
            other = service.Position(log_id="another", sequence=3)
            self.assertEqual("LOG_ID_CHANGED", self.refusal(subscribe_error(relay, request(after=other))))
            wrong = service.Position(log_id=old_log_id, sequence=12, event_hash=before.event_hash ^ 1)
            self.assertEqual("POSITION_MISMATCH", self.refusal(subscribe_error(relay, request(after=wrong))))

            # What the backup lacks comes again: from the vendor, who retries, or from a person.
            again = webhooks.send_many(relay, 20, 10)
            self.assertEqual("LOG_ID_CHANGED", self.refusal(subscribe_error(relay, request(after=past))))
            for position, first in ((before, 12), (at_backup, 20)):
                with subscription(relay, after=position, stop_when_caught_up=True) as stream:
                    self.assertEqual(ids[first:] + again, stream.read_to_end())
                self.assertEqual(info.log_id, stream.position.log_id)
            with subscription(relay, subscriber_name="books", start_from=COMMITTED, stop_when_caught_up=True) as stream:
                self.assertEqual(ids[8:] + again, stream.read_to_end())
            # Old positions below the backup can be committed, too.
            relay.events().CommitPosition(
                service.CommitPositionRequest(subscriber_name="books", position=before), timeout=DEADLINE
            )
            self.assertEqual(1, metric(relay, "refund_relay_quarantined_webhooks"))

            log_id = info.log_id
            relay.stop()
            relay.start()
            self.assertEqual(log_id, self.info(relay).log_id, "the second opening keeps it")

    def test_a_volume_snapshot_keeps_its_log_id_and_is_noticed_by_the_hash(self):
        with Relay() as relay:
            ids = webhooks.send_many(relay, 0, 20)
            before = read_to(relay, 12)
            relay.stop()
            snapshot = os.path.join(relay.folder, "snapshot")
            shutil.copytree(relay.data_dir, snapshot)
            relay.start()
            webhooks.send_many(relay, 20, 10)
            past = read_to(relay, 25)
            relay.stop()

            self.restore(relay, snapshot)
            relay.start()
            self.assertEqual(before.log_id, self.info(relay).log_id)
            self.assertEqual("POSITION_AHEAD", self.refusal(subscribe_error(relay, request(after=past))))
            others = webhooks.send_many(relay, 100, 10)
            self.assertEqual("POSITION_MISMATCH", self.refusal(subscribe_error(relay, request(after=past))))
            with subscription(relay, after=before, stop_when_caught_up=True) as stream:
                self.assertEqual(ids[12:] + others, stream.read_to_end())

    def test_verify_tells_by_its_exit_code(self):
        with Relay() as relay:
            webhooks.send_many(relay, 0, 5)
            code, out, err = run("verify", f"--data_dir={relay.data_dir}")
            self.assertEqual((0, ""), (code, err), "beside the server")
            self.assertIn("events                5, sequences 1 to 5", out)
            code, out, _ = run("verify", environment={"REFUND_RELAY_DATA_DIR": relay.data_dir})
            self.assertEqual(0, code)
            webhooks.send(relay, webhooks.webhook(6))  # which goes on
            relay.stop()
            path = os.path.join(relay.data_dir, "events.db")
            with sqlite3.connect(path) as database:
                database.execute("UPDATE events SET client_id = 'x' WHERE sequence = 3")
            database.close()
            code, out, _ = run("verify", f"--data_dir={relay.data_dir}")
            self.assertEqual(1, code)
            self.assertIn("DAMAGED: 1 problems\n  - the event at sequence 3 is damaged", out)
            to = os.path.join(relay.folder, "b.db")
            code, _, err = run("backup", f"--data_dir={relay.data_dir}", f"--to={to}")
            self.assertEqual(1, code)
            self.assertIn("the event at sequence 3 is damaged", err)
            self.assertFalse(glob.glob(to + "*"))
            relay.start()

    def test_wrong_arguments_are_named(self):
        for arguments, part in (
            (["verify"], "--data_dir=FOLDER or --file=FILE"),
            (["verify", "--data_dir=/nonexistent"], "there is no file /nonexistent/events.db"),
            (["verify", "--nonsense=1"], "--nonsense: there is no such argument"),
            (["verify", "--file"], "--file: the value is missing"),
            (["backup", "--to=/tmp/b.db"], "backup: name the log"),
            (["backup", "--data_dir=/nonexistent", "--to=/tmp/b.db"], "/nonexistent/events.db"),
        ):
            with self.subTest(arguments):
                code, out, err = run(*arguments)
                self.assertEqual((2, ""), (code, out))
                self.assertIn(part, err)
        for command in ("verify", "backup"):
            code, out, _ = run(command, "--help")
            self.assertEqual(0, code)
            self.assertIn("Exit codes: 0", out)

    def test_a_backup_replaces_nothing(self):
        with Relay() as relay:
            to = relay.write_file("precious", "precious")
            code, _, err = run("backup", f"--data_dir={relay.data_dir}", f"--to={to}")
            self.assertEqual(2, code)
            self.assertIn("a backup replaces nothing", err)
            with open(to, encoding="utf-8") as file:
                self.assertEqual("precious", file.read())

    def test_a_backup_beside_the_write_ahead_log_of_another_log_is_refused(self):
        with Relay() as relay:
            webhooks.send_many(relay, 0, 200)
            backup = os.path.join(relay.folder, "backup.db")
            self.assertEqual((0, ""), run("backup", f"--data_dir={relay.data_dir}", f"--to={backup}")[::2])
            webhooks.send_many(relay, 200, 200)
            relay.kill()  # leaves a write-ahead log
            database = os.path.join(relay.data_dir, "events.db")
            self.assertGreater(os.path.getsize(database + "-wal"), 0)
            shutil.copyfile(backup, database)
            with self.assertRaisesRegex(AssertionError, "events.db-wal was left there by another log"):
                relay.start()
            code, _, err = run("verify", f"--data_dir={relay.data_dir}")
            self.assertEqual(2, code)
            self.assertIn("events.db-wal was left there by another log", err)
            os.remove(database + "-wal")
            relay.start()
            self.assertEqual(200, len(event_ids(relay)))

    def test_backups_by_the_clock_can_be_restored(self):
        with Relay() as relay:
            folder = os.path.join(relay.folder, "backups")
            ids = webhooks.send_many(relay, 0, 7)
            relay.stop()
            relay.flags += ["--backup_interval=1h", f"--backup_dir={folder}"]
            relay.start()
            deadline = time.monotonic() + DEADLINE
            while metric(relay, "refund_relay_backup_last_success_timestamp_seconds") == 0:
                self.assertLess(time.monotonic(), deadline)
            self.assertEqual(0, metric(relay, "refund_relay_backup_failures_total"))
            (backup,) = glob.glob(os.path.join(folder, "*"))
            self.assertEqual(0, run("verify", f"--file={backup}")[0])
            relay.stop()
            self.restore(relay, backup)
            relay.start()
            self.assertEqual(ids, event_ids(relay))

    def test_a_backup_that_fails_is_loud_and_harms_nothing(self):
        with Relay() as relay:
            relay.stop()
            in_the_way = relay.write_file("backups", "a file where the folder should be")
            relay.flags += ["--backup_interval=1h", f"--backup_dir={in_the_way}"]
            relay.start()
            relay.wait_for_line(lambda line: line["level"] == "error" and "a backup failed" in line["message"])
            deadline = time.monotonic() + DEADLINE
            while metric(relay, "refund_relay_backup_failures_total") == 0:
                self.assertLess(time.monotonic(), deadline)
            self.assertEqual("accepted", webhooks.send(relay, webhooks.webhook(1))["status"])
            self.assertEqual(200, relay.admin_get("/readyz")[0])


if __name__ == "__main__":
    unittest.main()
