"""SIGTERM ends a server in order: going_away, then UNAVAILABLE, then exit code 0, with nothing lost."""

import signal
import time
import unittest

import grpc

import webhooks
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


if __name__ == "__main__":
    unittest.main()
