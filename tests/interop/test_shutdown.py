"""SIGTERM ends a server in order: going_away, then UNAVAILABLE, then exit code 0, with nothing lost."""

import contextlib
import itertools
import pathlib
import signal
import sqlite3
import threading
import time
import unittest

import grpc

import webhooks
from load import Load
from relay import DEADLINE, Relay
from stream import EARLIEST, RichError, Stream, event_ids, request, subscription


def is_stopping(record):
    return record["message"].startswith("stopping")


class ShutdownTest(unittest.TestCase):
    def test_going_away_then_draining_then_exit_0(self):
        with Relay() as relay:
            webhooks.send_many(relay, 0, 3)
            stream = Stream(relay.events(), request(start_from=EARLIEST))
            stream.read_events(3)
            stream.read_until("caught_up")
            last = stream.position
            relay.signal_stop()
            going_away = stream.read_until("going_away")
            self.assertEqual("DRAINING", going_away.reason)
            self.assertEqual(last, going_away.position)
            self.assertTrue(going_away.HasField("reconnect_after"))
            with self.assertRaises(grpc.RpcError) as caught:
                stream.read()
            error = RichError(caught.exception)
            self.assertEqual((grpc.StatusCode.UNAVAILABLE, "DRAINING"), (error.code, error.reason))
            self.assertEqual(0, relay.wait())
            relay.start()
            with subscription(relay, after=going_away.position, stop_when_caught_up=True) as resumed:
                self.assertEqual([], resumed.read_to_end())

    def test_an_idle_keep_alive_connection_does_not_hold_it(self):
        with Relay("--drain_timeout=60s") as relay:
            connection = relay.http()
            body = webhooks.encode(webhooks.webhook(1))
            connection.request("POST", "/webhooks/refund", body, webhooks.signed(body))
            answer = connection.getresponse()
            answer.read()
            self.assertEqual(200, answer.status)
            self.assertEqual(0, relay.stop())
            connection.close()

    def test_a_second_signal_stops_at_once(self):
        with Relay("--drain_delay=600s") as relay:
            relay.signal_stop()
            relay.wait_for_line(is_stopping)
            relay.process.send_signal(signal.SIGTERM)
            self.assertEqual(3, relay.wait(), "as --help says")

    def test_a_stop_does_not_wait_for_a_log_that_is_being_opened(self):
        with Relay() as relay:
            ids = webhooks.send_many(relay, 0, 3)
            relay.kill()
            # A reader of another process holds the opening up for half a minute.
            path = next(pathlib.Path(relay.data_dir).glob("*.db"))
            with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
                reader.execute("BEGIN")
                self.assertEqual((3,), reader.execute("SELECT count(*) FROM events").fetchone())
                relay.launch()
                relay.wait_for_line(lambda record: record["message"] == "opening the log")
                relay.signal_stop()
                self.assertEqual(0, relay.wait())
                self.assertIn("stopped while the log was being opened", relay.lines[-1])
            relay.start()
            self.assertEqual(ids, event_ids(relay))

    def test_while_endpoints_leave_it_is_not_ready_but_still_takes_webhooks(self):
        with Relay() as relay:
            relay.flags.append("--drain_delay=600s")
            self.assertEqual(0, relay.stop())
            relay.start()
            self.assertEqual(200, relay.admin_get("/readyz")[0])
            relay.signal_stop()
            relay.wait_for_line(is_stopping)
            end = time.monotonic() + DEADLINE
            while relay.admin_get("/readyz")[0] != 503:
                self.assertLess(time.monotonic(), end, "still ready")
            self.assertEqual(200, relay.admin_get("/livez")[0])
            sent = webhooks.send(relay, webhooks.webhook(1))
            self.assertEqual("accepted", sent["status"])
            relay.kill()
            relay.flags.pop()
            relay.start()
            self.assertEqual([sent["event_id"]], event_ids(relay))


class DrainUnderLoadTest(unittest.TestCase):
    """SIGTERM while webhooks are in flight and streams are open; then another server on the same data goes on."""

    FILTERS = (
        {},
        {},
        {"event_names": [webhooks.PASS]},
        {"event_types": [1, 2]},
        {"client_ids": ["client-0", "client-3"]},
        {"client_ids": ["client-1"], "event_names": [webhooks.SUBSCRIPTION]},
    )

    @staticmethod
    def made(number):
        return webhooks.webhook(number, webhooks.SAMPLES[number % 3], f"client-{number % 5}")

    @staticmethod
    def matches(wanted, made):
        names = [webhooks.SAMPLES[number - 1] for number in wanted.get("event_types", [])]
        names += wanted.get("event_names", [])
        clients = wanted.get("client_ids", [])
        client = made["payload"]["refund"]["clientId"]
        return (not names or made["event"] in names) and (not clients or client in clients)

    def follow(self, stream, ends):
        """Reads to the end of a stream, which must be the one that a drain makes."""
        going_away = stream.read_until("going_away")
        with self.assertRaises(grpc.RpcError) as caught:
            stream.read()
        ends.append((stream, going_away, RichError(caught.exception)))

    def test_everything_accepted_is_stored_and_delivered_once(self):
        with Relay() as relay:
            streams = [
                Stream(relay.events(), request(start_from=EARLIEST, filter=wanted)) for wanted in self.FILTERS
            ]
            for stream in streams:
                stream.read_until("caught_up")
            ends = []
            readers = [threading.Thread(target=self.follow, args=(stream, ends)) for stream in streams]
            for reader in readers:
                reader.start()
            load = Load(relay.address("http"), map(self.made, itertools.count()), connections=16, until_refused=True)
            load.start()
            load.wait_for_answers(1500)
            relay.signal_stop()
            self.assertEqual(0, relay.wait())
            load.join()
            for reader in readers:
                reader.join()
            stopped = relay.wait_for_line(lambda record: record["message"] == "stopped")
            self.assertEqual((True, "OK"), (stopped["requests_finished"], stopped["log_closed"]))
            self.assertEqual([], [line for line in relay.lines if "loss audit" in line])
            self.assertEqual([], load.failures)
            self.assertEqual(set(), set(load.refused) & set(load.answers))

            relay.start()
            stored = event_ids(relay)
            self.assertEqual(len(set(stored)), len(stored))
            self.assertEqual(set(load.answers), set(stored), "what was answered is not what was stored")
            self.assertEqual(len(self.FILTERS), len(ends))
            for stream, going_away, error in ends:
                self.assertEqual("DRAINING", going_away.reason)
                self.assertEqual((grpc.StatusCode.UNAVAILABLE, "DRAINING"), (error.code, error.reason))
                self.assertEqual(stream.started.log_id, going_away.position.log_id)
            for stream, going_away, _ in ends:
                wanted = self.FILTERS[streams.index(stream)]
                expected = [i for i in stored if self.matches(wanted, load.sent[i])]
                with subscription(
                    relay, after=going_away.position, filter=wanted, stop_when_caught_up=True
                ) as resumed:
                    rest = resumed.read_to_end()
                self.assertGreater(len(stream.deliveries), 0)
                self.assertEqual(expected, stream.event_ids() + rest)


if __name__ == "__main__":
    unittest.main()
