// refundctl subscribers, positions and quarantine: what they ask, print and end with.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "refund_relay/position_text.h"
#include "tests/unit/client/refundctl_fixture.h"
#include "tests/unit/client/scripted_streams.h"

namespace refund_relay {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

refundrelay::v1::Subscriber SubscriberNamed(const std::string& name) {
  refundrelay::v1::Subscriber subscriber;
  subscriber.set_subscriber_name(name);
  subscriber.set_state(refundrelay::v1::SUBSCRIBER_STATE_SLOW);
  subscriber.set_state_detail("has taken nothing since 2024-02-29T12:00:00Z");
  subscriber.set_peer("ipv4:10.0.0.7:40000");
  subscriber.mutable_filter()->add_event_types(refundrelay::v1::REFUND_EVENT_TYPE_PASS);
  *subscriber.mutable_position() = At(7);
  subscriber.set_lag_events(12);
  subscriber.mutable_lag()->set_seconds(90);
  subscriber.mutable_lag()->set_nanos(500'000'001);
  subscriber.mutable_connected_at()->set_seconds(1'709'208'000);
  *subscriber.mutable_committed_position() = At(5);
  return subscriber;
}

TEST_F(RefundctlTest, SubscribersShowsWhoReadsHowFarAndWhyNot) {
  refundrelay::v1::ListSubscribersResponse page;
  *page.add_subscribers() = SubscriberNamed("books");
  page.set_next_page_token("more");
  admin_.subscribers.Add(page);
  page.Clear();
  auto* gone = page.add_subscribers();
  gone->set_subscriber_name("gate");
  gone->set_state(refundrelay::v1::SUBSCRIBER_STATE_DISCONNECTED);
  *gone->mutable_position() = At(3);
  gone->set_lag_events(1);
  admin_.subscribers.Add(page);
  EXPECT_EQ(Run({"subscribers"}), 0);
  EXPECT_EQ(
      out_,
      "books                 slow          lag 12 events, 1m30.5s  at log1:7:0000000000001b58  committed 5  since "
      "2024-02-29T12:00:00.000Z  peer ipv4:10.0.0.7:40000  filter --type=pass\n"
      "    has taken nothing since 2024-02-29T12:00:00Z\n"
      "gate                  disconnected  lag 1 event  at log1:3:0000000000000bb8  filter all events\n");
  const auto requests = admin_.subscribers.requests();
  ASSERT_THAT(requests, SizeIs(2));
  EXPECT_EQ(requests[0].ShortDebugString(), "page_size: 1000");
  EXPECT_EQ(requests[1].page_token(), "more");
}

TEST_F(RefundctlTest, SubscribersAsJsonIsOneObjectALine) {
  refundrelay::v1::ListSubscribersResponse page;
  *page.add_subscribers() = SubscriberNamed("books");
  admin_.subscribers.Add(page);
  EXPECT_EQ(Run({"subscribers", "--name=books", "--output=json"}), 0);
  EXPECT_THAT(out_, StartsWith(R"({"kind":"subscriber","position_text":"log1:7:0000000000001b58",)"
                               R"("subscriber_name":"books","state":"SUBSCRIBER_STATE_SLOW","state_detail":"has )"));
  EXPECT_EQ(admin_.subscribers.requests().at(0).subscriber_name(), "books");
  page.mutable_subscribers(0)->set_lag_events(0);
  admin_.subscribers.Add(page);
  EXPECT_EQ(Run({"subscribers", "--output=json"}), 0);
  EXPECT_THAT(out_, HasSubstr("\"lag_events\":\"0\""));
}

TEST_F(RefundctlTest, SubscribersSaysThatThereAreNoneAndPassesTheServersWordsOn) {
  admin_.subscribers.Add({});
  EXPECT_EQ(Run({"subscribers", "--name=books"}), 0);
  EXPECT_EQ(err_, "refundctl: nobody subscribes under the name books, and no position is committed\n");
  admin_.subscribers.Fail(RichError(grpc::StatusCode::UNIMPLEMENTED, "no admin here", "NOT_BUILT_YET"));
  EXPECT_EQ(Run({"subscribers"}), 1);
  EXPECT_THAT(err_, HasSubstr("UNIMPLEMENTED NOT_BUILT_YET: no admin here\n  This server does not know that yet"));
}

TEST_F(RefundctlTest, PositionsGetPrintsWhatIsCommitted) {
  EXPECT_EQ(Run({"positions", "get", "books"}), 0);
  EXPECT_THAT(out_, IsEmpty());
  EXPECT_EQ(err_, "refundctl: no position is committed under the name books\n");
  EXPECT_EQ(Run({"positions", "get", "books", "--output=json"}), 0);
  EXPECT_EQ(out_, "{\"kind\":\"committed_position\",\"version\":\"0\"}\n");
  EXPECT_THAT(err_, IsEmpty());
  refundrelay::v1::EventFilter filter;
  filter.add_event_names("refunded.bundle");
  filter.add_client_ids("c1");
  service_.Commit(At(7), filter);
  EXPECT_EQ(Run({"positions", "get", "books"}), 0);
  EXPECT_EQ(out_,
            "position  log1:7:0000000000001b58\nversion   1\n"
            "filter    --event-name=refunded.bundle --client-id=c1\n");
  EXPECT_EQ(Run({"positions", "get", "books", "--output=json"}), 0);
  EXPECT_THAT(out_, StartsWith(R"({"kind":"committed_position","position_text":"log1:7:0000000000001b58",)"));
}

TEST_F(RefundctlTest, PositionsCommitSendsWhatWasGiven) {
  EXPECT_EQ(Run({"positions", "commit", "books", "--position=" + FormatPosition(At(7)), "--type=pass",
                 "--expected-version=0"}),
            0);
  EXPECT_EQ(out_, "committed log1:7:0000000000001b58 as version 1, filter --type=pass\n");
  EXPECT_EQ(service_.commit_requests().at(0).ShortDebugString(),
            "subscriber_name: \"books\" position { log_id: \"log1\" sequence: 7 event_hash: 7000 } filter { "
            "event_types: REFUND_EVENT_TYPE_PASS } expected_version: 0");
  EXPECT_EQ(Run({"positions", "commit", "books", "--position=log1:3"}), 1);
  EXPECT_FALSE(service_.commit_requests().at(1).has_expected_version());
  EXPECT_THAT(err_, AllOf(HasSubstr("FAILED_PRECONDITION WOULD_REWIND"), HasSubstr("--expected-version")));
  EXPECT_EQ(Run({"positions", "commit", "books", "--position=log1:3", "--expected-version=9"}), 1);
  EXPECT_THAT(err_, AllOf(HasSubstr("ABORTED VERSION_CHANGED {current=1}"), HasSubstr("positions get")));
}

TEST_F(RefundctlTest, PositionsCommitNeverWidensAFilterUnasked) {
  refundrelay::v1::EventFilter filter;
  filter.add_event_types(refundrelay::v1::REFUND_EVENT_TYPE_PASS);
  service_.Commit(At(3), filter);
  EXPECT_EQ(Run({"positions", "commit", "books", "--position=log1:7"}), 0);
  EXPECT_THAT(out_, HasSubstr("filter --type=pass\n"));
  EXPECT_EQ(service_.committed().filter().SerializeAsString(), filter.SerializeAsString());
  EXPECT_EQ(Run({"positions", "commit", "books", "--position=log1:8", "--all-events"}), 0);
  EXPECT_THAT(out_, HasSubstr("filter all events\n"));
  EXPECT_EQ(service_.committed().filter().ByteSizeLong(), 0u);
}

TEST_F(RefundctlTest, PositionsDeletePrintsWhatItDeleted) {
  refundrelay::v1::DeleteCommittedPositionResponse response;
  *response.mutable_position() = At(7);
  admin_.remove.Add(response);
  EXPECT_EQ(Run({"positions", "delete", "books", "--expected-version=4"}), 0);
  EXPECT_EQ(out_, "deleted log1:7:0000000000001b58\n");
  EXPECT_EQ(admin_.remove.requests().at(0).ShortDebugString(), "subscriber_name: \"books\" expected_version: 4");
  admin_.remove.Fail(RichError(grpc::StatusCode::NOT_FOUND, "none", "POSITION_UNKNOWN"));
  EXPECT_EQ(Run({"positions", "delete", "books"}), 1);
  EXPECT_FALSE(admin_.remove.requests().at(1).has_expected_version());
  EXPECT_THAT(err_, HasSubstr("NOT_FOUND POSITION_UNKNOWN: none\n  No position is committed under this name"));
}

refundrelay::v1::QuarantinedWebhook Webhook(const std::string& id) {
  refundrelay::v1::QuarantinedWebhook webhook;
  webhook.set_quarantine_id(id);
  webhook.set_reason(refundrelay::v1::QUARANTINE_REASON_NOT_A_REFUND_EVENT);
  webhook.set_detail("/payload/refund/amount is missing");
  webhook.mutable_received_at()->set_seconds(1'709'208'000);
  webhook.set_times_received(3);
  webhook.set_body_bytes(812);
  return webhook;
}

TEST_F(RefundctlTest, QuarantineListReadsAllPagesAndAsksForNoBody) {
  refundrelay::v1::ListQuarantinedWebhooksResponse page;
  *page.add_webhooks() = Webhook("q1");
  page.set_next_page_token("more");
  admin_.list.Add(page);
  page.Clear();
  *page.add_webhooks() = Webhook("q2");
  page.mutable_webhooks(0)->set_reason(refundrelay::v1::QUARANTINE_REASON_CONFLICT);
  page.mutable_webhooks(0)->set_event_id("65e0-1");
  page.mutable_webhooks(0)->set_times_received(1);
  admin_.list.Add(page);
  EXPECT_EQ(Run({"quarantine", "list", "--reason=not_json"}), 0);
  EXPECT_EQ(out_,
            "q1  2024-02-29T12:00:00.000Z  not_a_refund_event  3 times  812 bytes  /payload/refund/amount is missing\n"
            "q2  2024-02-29T12:00:00.000Z  conflict            1 time  812 bytes  event 65e0-1  "
            "/payload/refund/amount is missing\n");
  const auto requests = admin_.list.requests();
  ASSERT_THAT(requests, SizeIs(2));
  EXPECT_EQ(requests[0].ShortDebugString(), "reason: QUARANTINE_REASON_NOT_JSON page_size: 1000");
  EXPECT_EQ(requests[1].page_token(), "more");
  admin_.list.Add({});
  EXPECT_EQ(Run({"quarantine", "list"}), 0);
  EXPECT_EQ(err_, "refundctl: the quarantine is empty\n");
  admin_.list.Add({});
  EXPECT_EQ(Run({"quarantine", "list", "--reason=conflict"}), 0);
  EXPECT_EQ(err_, "refundctl: no webhook is in quarantine with the reason conflict\n");
}

TEST_F(RefundctlTest, QuarantineShowPrintsABodyOnlyIfAsked) {
  refundrelay::v1::ListQuarantinedWebhooksResponse page;
  *page.add_webhooks() = Webhook("q1");
  admin_.list.Add(page);
  EXPECT_EQ(Run({"quarantine", "show", "q1"}), 0);
  EXPECT_THAT(out_, AllOf(StartsWith("quarantine_id "), HasSubstr("\ntimes_received "), Not(HasSubstr("body:"))));
  EXPECT_EQ(admin_.list.requests().at(0).ShortDebugString(), "quarantine_ids: \"q1\"");
  page.mutable_webhooks(0)->set_body("{\"a\":\n\x1b[2J}");
  admin_.list.Add(page);
  EXPECT_EQ(Run({"quarantine", "show", "q1", "--body"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("\nbody:\n{\"a\":\n\\x1b[2J}\n"), Not(HasSubstr("\nbody "))));
  EXPECT_TRUE(admin_.list.requests().at(1).include_body());
  admin_.list.Add(page);
  EXPECT_EQ(Run({"quarantine", "show", "q1", "--body", "--output=json"}), 0);
  EXPECT_THAT(out_, AllOf(StartsWith("{\"kind\":\"quarantined_webhook\",\"quarantine_id\":\"q1\""),
                          HasSubstr("\"body\":\"eyJhIjoKG1sySn0=\"")));
}

TEST_F(RefundctlTest, QuarantineShowOfAnUnknownIdIsAnError) {
  admin_.list.Add({});
  EXPECT_EQ(Run({"quarantine", "show", "q9"}), 1);
  EXPECT_THAT(err_, HasSubstr("NOT_FOUND QUARANTINE_UNKNOWN: no webhook q9 is in quarantine\n  It was retried or"));
}

TEST_F(RefundctlTest, QuarantineRetryTellsWhatBecameOfEach) {
  refundrelay::v1::RetryQuarantinedWebhooksResponse response;
  auto* appended = response.add_results();
  appended->set_quarantine_id("q1");
  appended->set_outcome(refundrelay::v1::RETRY_OUTCOME_APPENDED);
  appended->set_event_id("65e0-1");
  appended->set_sequence(42);
  admin_.retry.Add(response);
  EXPECT_EQ(Run({"quarantine", "retry", "q1"}), 0);
  EXPECT_EQ(out_, "q1  appended  event 65e0-1  sequence 42\n");
  EXPECT_EQ(err_, "refundctl: 1 appended\n");
  EXPECT_EQ(admin_.retry.requests().at(0).ShortDebugString(), "quarantine_ids: \"q1\"");

  auto* stays = response.add_results();
  stays->set_quarantine_id("q2");
  stays->set_outcome(refundrelay::v1::RETRY_OUTCOME_STILL_QUARANTINED);
  stays->set_detail("amount is missing");
  admin_.retry.Add(response);
  EXPECT_EQ(Run({"quarantine", "retry", "--all"}), 1);
  EXPECT_THAT(out_, HasSubstr("\nq2  still_quarantined  amount is missing\n"));
  EXPECT_EQ(err_, "refundctl: 1 appended, 1 still_quarantined\n");
  EXPECT_EQ(admin_.retry.requests().at(1).ShortDebugString(), "all: true");
  admin_.retry.Add(response);
  EXPECT_EQ(Run({"quarantine", "retry", "--all", "--output=json"}), 1);
  EXPECT_THAT(out_, StartsWith(R"({"kind":"retry_result","quarantine_id":"q1","outcome":"RETRY_OUTCOME_APPENDED",)"));
}

TEST_F(RefundctlTest, EveryOutcomeThatLeavesAWebhookInQuarantineIsOne) {
  for (const auto& [outcome, exit_code] : {std::pair{refundrelay::v1::RETRY_OUTCOME_DUPLICATE, 0},
                                           {refundrelay::v1::RETRY_OUTCOME_UNKNOWN, 1},
                                           {refundrelay::v1::RETRY_OUTCOME_FAILED, 1},
                                           {static_cast<refundrelay::v1::RetryOutcome>(99), 1}}) {
    refundrelay::v1::RetryQuarantinedWebhooksResponse response;
    response.add_results()->set_outcome(outcome);
    admin_.retry.Add(response);
    EXPECT_EQ(Run({"quarantine", "retry", "q1"}), exit_code) << outcome;
  }
  EXPECT_EQ(err_, "refundctl: 1 number 99\n");
}

TEST_F(RefundctlTest, ManyIdsAreSplitIntoRequestsThatTheServerTakes) {
  Arguments discard = {"quarantine", "discard"};
  Arguments retry = {"quarantine", "retry"};
  for (int i = 0; i < 1001; ++i) {
    discard.push_back("q" + std::to_string(i));
    retry.push_back("q" + std::to_string(i));
  }
  for (int i = 0; i < 2; ++i) {
    admin_.discard.Add({});
    admin_.retry.Add({});
  }
  EXPECT_EQ(Run(discard), 0);
  EXPECT_EQ(Run(retry), 0);
  ASSERT_THAT(admin_.discard.requests(), SizeIs(2));
  EXPECT_EQ(admin_.discard.requests()[0].quarantine_ids_size(), 1000);
  EXPECT_THAT(admin_.discard.requests()[1].quarantine_ids(), ElementsAre("q1000"));
  ASSERT_THAT(admin_.retry.requests(), SizeIs(2));
  EXPECT_THAT(admin_.retry.requests()[1].quarantine_ids(), ElementsAre("q1000"));
}

TEST_F(RefundctlTest, QuarantineDiscardTellsOfUnknownIds) {
  refundrelay::v1::DiscardQuarantinedWebhooksResponse response;
  response.add_results()->set_quarantine_id("q1");
  response.mutable_results(0)->set_discarded(true);
  admin_.discard.Add(response);
  EXPECT_EQ(Run({"quarantine", "discard", "q1"}), 0);
  EXPECT_EQ(out_, "q1  discarded\n");
  response.add_results()->set_quarantine_id("q2");
  admin_.discard.Add(response);
  EXPECT_EQ(Run({"quarantine", "discard", "q1", "q2"}), 1);
  EXPECT_EQ(out_, "q1  discarded\nq2  unknown\n");
  admin_.discard.Add(response);
  EXPECT_EQ(Run({"quarantine", "discard", "q1", "q2", "--output=json"}), 1);
  EXPECT_EQ(out_,
            "{\"kind\":\"discard_result\",\"quarantine_id\":\"q1\",\"discarded\":true}\n"
            "{\"kind\":\"discard_result\",\"quarantine_id\":\"q2\",\"discarded\":false}\n");
  EXPECT_THAT(admin_.discard.requests().at(1).quarantine_ids(), ElementsAre("q1", "q2"));
}

}  // namespace
}  // namespace refund_relay
