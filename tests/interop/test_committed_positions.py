"""Committed positions as an outsider sees them: commit, read, start from, versions, filters, restarts."""

import unittest

import grpc
from refundrelay.v1 import admin_service_pb2 as admin
from refundrelay.v1 import refund_event_service_pb2 as service

import webhooks
from relay import DEADLINE, Relay
from stream import COMMITTED, EARLIEST, error_of, request, subscribe_error, subscription


class CommittedPositionsTest(unittest.TestCase):
    def setUp(self):
        self.relay = self.enterContext(Relay())
        self.ids = webhooks.send_many(self.relay, 1, 10)
        self.events = self.relay.events()
        self.log_id = self.events.GetLogInfo(service.GetLogInfoRequest(), timeout=DEADLINE).log_id

    def commit(self, sequence, name="books", **fields):
        asked = service.CommitPositionRequest(
            subscriber_name=name, position=service.Position(log_id=self.log_id, sequence=sequence), **fields
        )
        return self.events.CommitPosition(asked, timeout=DEADLINE).version

    def commit_error(self, sequence, name="books", **fields):
        return error_of(self.commit, sequence, name, **fields)

    def committed(self, name="books"):
        asked = service.GetCommittedPositionRequest(subscriber_name=name)
        return self.events.GetCommittedPosition(asked, timeout=DEADLINE)

    def test_a_subscriber_goes_on_where_it_committed(self):
        with subscription(self.relay, subscriber_name="books", start_from=COMMITTED) as stream:
            self.assertEqual(0, stream.read()[1].position.sequence, "none yet is the earliest")
            stream.read_events(4)
        self.commit(4)
        with subscription(
            self.relay, subscriber_name="books", start_from=COMMITTED, stop_when_caught_up=True
        ) as stream:
            self.assertEqual(self.ids[4:], stream.read_to_end())
        self.assertEqual(4, stream.started.position.sequence)

    def test_nothing_committed_is_version_zero_without_a_position(self):
        answer = self.committed("fraud")
        self.assertFalse(answer.HasField("position"))
        self.assertEqual(0, answer.version)

    def test_what_was_committed_is_read_back_over_a_restart(self):
        with subscription(self.relay, start_from=EARLIEST) as stream:
            stream.read_events(10)
            position = stream.position
        filter = service.EventFilter(event_names=["refunded.subscription", "refunded.pass"], client_ids=["c"])
        asked = service.CommitPositionRequest(subscriber_name="books", position=position, filter=filter)
        version = self.events.CommitPosition(asked, timeout=DEADLINE).version
        self.relay.kill()
        self.relay.start()
        self.events = self.relay.events()
        answer = self.committed()
        self.assertEqual(position, answer.position, "with its hash")
        self.assertEqual(version, answer.version)
        self.assertEqual(["refunded.pass", "refunded.subscription"], list(answer.filter.event_names))
        self.assertEqual(["c"], list(answer.filter.client_ids))

    def test_the_rules_of_versions(self):
        first = self.commit(3)
        self.assertEqual(first, self.commit(3), "the same position again is OK")
        second = self.commit(5)
        self.assertGreater(second, first)
        error = self.commit_error(4)
        self.assertEqual((grpc.StatusCode.FAILED_PRECONDITION, "WOULD_REWIND"), (error.code, error.reason))
        error = self.commit_error(6, expected_version=first)
        self.assertEqual((grpc.StatusCode.ABORTED, "VERSION_CHANGED"), (error.code, error.reason))
        self.assertEqual({"current": str(second)}, error.metadata)
        self.assertEqual("VERSION_CHANGED", self.commit_error(6, expected_version=0).reason)
        third = self.commit(1, expected_version=second)
        self.assertEqual(1, self.committed().position.sequence, "with the version in force it may go back")
        self.assertGreater(third, second)
        self.assertEqual(0, self.committed("fraud").version)
        self.assertGreater(self.commit(2, "fraud", expected_version=0), 0)

    def test_a_position_of_another_history_is_not_committed(self):
        self.assertEqual("POSITION_AHEAD", self.commit_error(11).reason)
        wrong = service.Position(log_id=self.log_id, sequence=3, event_hash=7)
        asked = service.CommitPositionRequest(subscriber_name="books", position=wrong)
        self.assertEqual("POSITION_MISMATCH", error_of(self.events.CommitPosition, asked, timeout=DEADLINE).reason)
        wrong = service.Position(log_id="another", sequence=3)
        asked = service.CommitPositionRequest(subscriber_name="books", position=wrong)
        self.assertEqual("LOG_ID_CHANGED", error_of(self.events.CommitPosition, asked, timeout=DEADLINE).reason)
        self.assertEqual(0, self.committed().version)

    def test_wrong_requests_name_their_fields(self):
        asked = service.CommitPositionRequest(
            subscriber_name="Books", filter=service.EventFilter(event_names=["bought.pass"])
        )
        error = error_of(self.events.CommitPosition, asked, timeout=DEADLINE)
        self.assertEqual(grpc.StatusCode.INVALID_ARGUMENT, error.code)
        self.assertEqual({"subscriber_name", "position.log_id", "filter.event_names[0]"}, set(error.fields))
        asked = service.GetCommittedPositionRequest(subscriber_name="")
        error = error_of(self.events.GetCommittedPosition, asked, timeout=DEADLINE)
        self.assertEqual(["subscriber_name"], error.fields)

    def test_a_wider_filter_does_not_start_from_a_narrower_one(self):
        narrow = service.EventFilter(event_names=["refunded.pass"])
        self.commit(5, filter=narrow)
        error = subscribe_error(self.relay, request(subscriber_name="books", start_from=COMMITTED))
        self.assertEqual((grpc.StatusCode.FAILED_PRECONDITION, "FILTER_WIDENED"), (error.code, error.reason))
        self.assertIn("refunded.pass", error.metadata["filter"])
        with subscription(self.relay, subscriber_name="books", start_from=COMMITTED, filter=narrow) as stream:
            self.assertEqual(5, stream.read()[1].position.sequence)

    def test_the_widest_answer_to_a_widened_filter_still_arrives(self):
        long_ids = [f"{number:03}" + "c" * 125 for number in range(256)]
        self.commit(5, filter=service.EventFilter(client_ids=long_ids))
        error = subscribe_error(self.relay, request(subscriber_name="books", start_from=COMMITTED))
        self.assertEqual((grpc.StatusCode.FAILED_PRECONDITION, "FILTER_WIDENED"), (error.code, error.reason))
        self.assertEqual(long_ids, list(self.committed().filter.client_ids))
        wrong = service.EventFilter(event_names=["bought." + "n" * 100] * 64, client_ids=["c" * 129] * 256)
        error = subscribe_error(self.relay, request(start_from=COMMITTED, filter=wrong))
        self.assertEqual((grpc.StatusCode.INVALID_ARGUMENT, "BAD_REQUEST"), (error.code, error.reason))
        self.assertIn("filter.event_names[0]", error.fields)

    def test_a_committed_position_is_deleted_by_name_and_version(self):
        stub = self.relay.admin()
        version = self.commit(5)
        asked = admin.DeleteCommittedPositionRequest(subscriber_name="books", expected_version=version + 1)
        error = error_of(stub.DeleteCommittedPosition, asked, timeout=DEADLINE)
        self.assertEqual((grpc.StatusCode.ABORTED, "VERSION_CHANGED"), (error.code, error.reason))
        asked.expected_version = version
        self.assertEqual(5, stub.DeleteCommittedPosition(asked, timeout=DEADLINE).position.sequence)
        self.assertEqual(0, self.committed().version)
        asked.ClearField("expected_version")
        error = error_of(stub.DeleteCommittedPosition, asked, timeout=DEADLINE)
        self.assertEqual((grpc.StatusCode.NOT_FOUND, "POSITION_UNKNOWN"), (error.code, error.reason))
        with subscription(self.relay, subscriber_name="books", start_from=COMMITTED) as stream:
            self.assertEqual(0, stream.read()[1].position.sequence)


if __name__ == "__main__":
    unittest.main()
