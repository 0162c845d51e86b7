"""refundctl against a running server: committed positions, and the quarantine."""

import json
import os
import subprocess
import unittest

import webhooks
from relay import BIN, DEADLINE, Relay

PHONE = "+919876543210"


class RefundctlTest(unittest.TestCase):
    def setUp(self):
        self.relay = self.enterContext(Relay())

    def run_refundctl(self, *arguments, code=0):
        """Runs it as programs do; returns the objects on stdout, and stderr."""
        command = [os.path.join(BIN, "refundctl"), "--address=%s:%d" % self.relay.address("grpc"), "--output=json"]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(code, done.returncode, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    def tail(self, *arguments, code=0):
        printed, err = self.run_refundctl(
            "tail", "--name=books", "--commit", "--until-caught-up", *arguments, code=code
        )
        return [event["event"]["event_id"] for event in printed], err

    def refuse(self, body):
        """Sends a webhook that is no event; returns its quarantine id."""
        status, answer, _ = self.relay.post(body, webhooks.signed(body))
        self.assertIn(status, (400, 422))
        return answer["quarantine_id"]

    def test_tail_goes_on_where_it_committed_over_a_restart_of_the_server(self):
        ids = webhooks.send_many(self.relay, 1, 3)
        self.assertEqual(ids, self.tail("--from=earliest")[0])
        self.assertEqual([], self.tail("--from=earliest")[0])
        self.relay.kill()
        self.relay.start()
        more = webhooks.send_many(self.relay, 4, 2)
        self.assertEqual(more, self.tail("--from=committed")[0])
        (kept,), _ = self.run_refundctl("positions", "get", "books")
        self.assertEqual("5", kept["position"]["sequence"])

    def test_a_wider_filter_is_refused_until_the_position_is_deleted(self):
        ids = webhooks.send_many(self.relay, 1, 3)
        self.assertEqual(ids, self.tail("--from=earliest", "--type=pass")[0])
        _, err = self.tail("--from=earliest", code=1)
        self.assertIn("FILTER_WIDENED", err)
        self.run_refundctl("positions", "delete", "books")
        self.assertEqual(ids, self.tail("--from=earliest")[0])

    def test_positions_go_back_knowingly_and_keep_their_filter(self):
        ids = webhooks.send_many(self.relay, 1, 3)
        self.tail("--from=earliest", "--type=pass")
        (kept,), _ = self.run_refundctl("positions", "get", "books")
        log_id = kept["position"]["log_id"]
        _, err = self.run_refundctl("positions", "commit", "books", f"--position={log_id}:1", code=1)
        self.assertIn("WOULD_REWIND", err)
        self.run_refundctl(
            "positions", "commit", "books", f"--position={log_id}:1", f"--expected-version={kept['version']}"
        )
        (back,), _ = self.run_refundctl("positions", "get", "books")
        self.assertEqual(("1", kept["filter"]), (back["position"]["sequence"], back["filter"]))
        self.assertEqual(ids[1:], self.tail("--from=committed", "--type=pass")[0])

    def test_subscribers_keeps_who_is_gone_with_its_lag(self):
        webhooks.send_many(self.relay, 1, 3)
        self.tail("--from=earliest")
        webhooks.send_many(self.relay, 4, 2)
        (books,), _ = self.run_refundctl("subscribers", "--name=books")
        self.assertEqual(
            ("SUBSCRIBER_STATE_DISCONNECTED", "2", "3"),
            (books["state"], books["lag_events"], books["committed_position"]["sequence"]),
        )
        self.assertEqual([], self.run_refundctl("subscribers", "--name=nobody")[0])

    def test_list_finds_a_refund_by_either_id(self):
        event_id = webhooks.send(self.relay, webhooks.webhook(7))["event_id"]
        other = webhooks.webhook(8)
        other["payload"]["refund"]["paymentGatewayRefundId"] = "rfnd_other"
        other_id = webhooks.send(self.relay, other)["event_id"]
        for refund, found in ((f"{7:024x}", event_id), ("rfnd_other", other_id)):
            (event,), _ = self.run_refundctl("list", f"--refund={refund}")
            self.assertEqual(found, event["event"]["event_id"])
        self.assertEqual([], self.run_refundctl("list", "--refund=rfnd_none")[0])

    def test_check_finds_a_good_server_good_and_leaves_nothing_behind(self):
        found, _ = self.run_refundctl("check", "webhooks", "--url=http://%s:%d/webhooks/refund" % self.relay.address("http"))
        self.assertEqual(["webhooks"], [line["check"] for line in found])
        found, _ = self.run_refundctl("check", "subscribe", "--name=probe")
        self.assertEqual(["health", "log_info", "subscribe"], [line["check"] for line in found])
        self.assertIn("which ends at 0", found[1]["text"])
        self.assertEqual([], self.run_refundctl("quarantine", "list")[0])
        (kept,), _ = self.run_refundctl("positions", "get", "probe")
        self.assertNotIn("position", kept)

    def test_check_finds_another_path_bad(self):
        _, err = self.run_refundctl("check", "webhooks", "--url=http://%s:%d/webhooks" % self.relay.address("http"), code=1)
        self.assertIn("was answered 404 Not Found, not 401", err)

    def test_quarantine_is_listed_shown_retried_and_discarded(self):
        body = json.dumps({"event": webhooks.PASS, "payload": {"user": {"phoneNumber": PHONE}}}).encode()
        first, second = self.refuse(body), self.refuse(b"nonsense")
        listed, _ = self.run_refundctl("quarantine", "list")
        self.assertEqual([first, second], [webhook["quarantine_id"] for webhook in listed])
        self.assertNotIn(PHONE, json.dumps(listed))
        listed, _ = self.run_refundctl("quarantine", "list", "--reason=not_json")
        self.assertEqual([second], [webhook["quarantine_id"] for webhook in listed])
        shown, _ = self.run_refundctl("quarantine", "show", first)
        self.assertNotIn("body", shown[0])
        command = [os.path.join(BIN, "refundctl"), "--address=%s:%d" % self.relay.address("grpc")]
        command += ["quarantine", "show", first, "--body"]
        text = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
        self.assertIn(f"body:\n{body.decode()}\n", text.stdout)

        retried, err = self.run_refundctl("quarantine", "retry", "--all", code=1)
        self.assertEqual({"RETRY_OUTCOME_STILL_QUARANTINED"}, {result["outcome"] for result in retried})
        self.assertIn("2 still_quarantined", err)
        discarded, _ = self.run_refundctl("quarantine", "discard", first, second)
        self.assertEqual([True, True], [result["discarded"] for result in discarded])
        self.assertEqual([], self.run_refundctl("quarantine", "list")[0])
        self.assertIn("QUARANTINE_UNKNOWN", self.run_refundctl("quarantine", "show", first, code=1)[1])


if __name__ == "__main__":
    unittest.main()
