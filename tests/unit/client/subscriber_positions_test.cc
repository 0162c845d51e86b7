// The subscriber and its keeper: where a run begins, and when and what it commits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/client/subscriber_fixture.h"

namespace refund_relay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using End = SubscriberResult::End;

class SubscriberPositionsTest : public SubscriberTest {
 protected:
  SubscriberPositionsTest() {
    keeper_ = std::make_shared<ScriptedKeeper>();
    options_.commit.every = absl::InfiniteDuration();
    options_.commit.every_events = 0;
  }
  void Keep(uint64_t sequence) { keeper_->kept = KeptPosition{At(sequence), options_.request.filter()}; }

  const absl::Status down_ = absl::UnavailableError("the disk is away");
};

TEST_F(SubscriberPositionsTest, TheFirstTimeItBeginsWhereTheCallerChoseAndCommitsThatAtOnce) {
  options_.request.set_start_from(refundrelay::v1::START_FROM_LATEST);
  on_event_ = [this](const auto&) { EXPECT_THAT(keeper_->attempts, ElementsAre(41)); };
  const auto result = Run({{{Started(41), Batch(41, {42}, 42)}, Lost()}});
  EXPECT_EQ(streams_->requests.at(0).start_from(), refundrelay::v1::START_FROM_LATEST);
  EXPECT_THAT(sequences_, ElementsAre(42));
  EXPECT_THAT(keeper_->attempts, ElementsAre(41, 42));
  EXPECT_EQ(keeper_->commits.at(0).filter.ShortDebugString(), options_.request.filter().ShortDebugString());
  EXPECT_EQ(result.committed_position->sequence(), 42u);
}

TEST_F(SubscriberPositionsTest, NoEventIsHandedOverBeforeTheStartIsCommitted) {
  keeper_->commit_errors = {down_, down_, down_};
  keeper_->on_commit = [this] { EXPECT_EQ(handler_calls_ == 0, keeper_->attempts.size() <= 4); };
  Run({{{Started(0), Batch(0, {1}, 1)}, Lost()}});
  EXPECT_THAT(keeper_->attempts, ElementsAre(0, 0, 0, 0, 1));
  EXPECT_THAT(observer_->commit_failures, SizeIs(3));
  EXPECT_THAT(sequences_, ElementsAre(1));
}

TEST_F(SubscriberPositionsTest, ARestartGoesOnAfterTheKeptPosition) {
  Keep(7);
  const auto result = Run({{{Started(7), Batch(7, {8}, 8)}, Lost()}});
  EXPECT_EQ(After(0), FormatPosition(At(7)));
  EXPECT_THAT(keeper_->attempts, ElementsAre(8));
  EXPECT_EQ(result.position->sequence(), 8u);
}

TEST_F(SubscriberPositionsTest, APositionKeptByTheServerStartsAtCommittedSoThatTheServerComparesFilters) {
  Keep(7);
  keeper_->by_server = true;
  keeper_->kept->filter.clear_event_names();
  keeper_->kept->filter.add_event_names("refunded.other");
  Run({{{}, Lost()}, {{Started(7), Batch(7, {8}, 8)}, Lost()}});
  ASSERT_THAT(streams_->requests, SizeIs(3));
  EXPECT_EQ(streams_->requests[0].start_from(), refundrelay::v1::START_FROM_COMMITTED);
  EXPECT_EQ(streams_->requests[1].start_from(), refundrelay::v1::START_FROM_COMMITTED);
  EXPECT_EQ(After(2), FormatPosition(At(8)));
}

TEST_F(SubscriberPositionsTest, ACommittedPositionThatMovedMeanwhileIsAnotherProcess) {
  Keep(7);
  keeper_->by_server = true;
  const auto result = Run({{{Started(9), Batch(9, {10}, 10)}, Lost()}});
  EXPECT_EQ(result.end, End::kPositionsFailed);
  EXPECT_EQ(result.error.reason, "VERSION_CHANGED");
  EXPECT_THAT(result.error.message, HasSubstr("from sequence 7 to 9"));
  EXPECT_THAT(sequences_, IsEmpty());
  EXPECT_THAT(keeper_->attempts, IsEmpty());
}

TEST_F(SubscriberPositionsTest, AFilterThatBecameWiderEndsTheRunBeforeAnyRequest) {
  Keep(7);
  keeper_->kept->filter.add_client_ids("c1");
  const auto result = Run({{{Started(7)}, Lost()}});
  EXPECT_EQ(result.end, End::kPositionsFailed);
  EXPECT_EQ(result.error.code, grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(result.error.reason, "FILTER_WIDENED");
  EXPECT_EQ(result.error.metadata.at("filter"), R"({"event_names":["refunded.pass"],"client_ids":["c1"]})");
  EXPECT_THAT(streams_->requests, IsEmpty());
}

TEST_F(SubscriberPositionsTest, AFilterThatBecameNarrowerIsFine) {
  Keep(7);
  options_.request.mutable_filter()->add_client_ids("c1");
  Run({{{Started(7)}, Lost()}});
  EXPECT_EQ(After(0), FormatPosition(At(7)));
}

TEST_F(SubscriberPositionsTest, WhatCannotBeReadEndsTheRunAndNeverMeansABeginning) {
  keeper_->load_errors = {absl::DataLossError("damaged")};
  const auto result = Run({{{Started(0)}, Lost()}});
  EXPECT_EQ(result.end, End::kPositionsFailed);
  EXPECT_EQ(result.error.code, grpc::StatusCode::DATA_LOSS);
  EXPECT_THAT(streams_->requests, IsEmpty());
}

TEST_F(SubscriberPositionsTest, ALoadThatFailsInPassingIsTriedAgainWithinTheConnectTimeout) {
  Keep(7);
  keeper_->load_errors = {down_, down_};
  Run({{{Started(7)}, Lost()}});
  EXPECT_EQ(keeper_->loads, 3);
  EXPECT_EQ(After(0), FormatPosition(At(7)));
  keeper_->load_errors.assign(100, down_);
  const absl::Time before = sleeper_->now;
  const auto result = Run({{{Started(7)}, Lost()}});
  EXPECT_EQ(result.end, End::kPositionsFailed);
  EXPECT_EQ(result.error.message, "the disk is away");
  EXPECT_EQ(sleeper_->now - before, options_.connect_timeout);
}

TEST_F(SubscriberPositionsTest, StopEndsALoad) {
  keeper_->load_errors = {absl::CancelledError("stopped")};
  keeper_->on_load = [this] { subscriber_->Stop(); };
  const auto result = Run({});
  EXPECT_EQ(result.end, End::kStopped);
  EXPECT_TRUE(keeper_->stopped);
  EXPECT_EQ(keeper_->loads, 1);
}

TEST_F(SubscriberPositionsTest, CommitsAfterSoManyEvents) {
  Keep(0);
  options_.commit.every_events = 2;
  Run({{{Started(0), Batch(0, {1, 2, 3}, 3), Batch(3, {4, 5}, 9)}, Lost()}});
  EXPECT_THAT(keeper_->attempts, ElementsAre(2, 4, 9));  // the last one at the end
}

TEST_F(SubscriberPositionsTest, CommitsWhenItIsTimeThoughTheStreamIsSilentAndThatIsNoSecondPatience) {
  Keep(0);
  options_.commit.every = absl::Seconds(5);
  Run({{{Started(0, absl::Seconds(4)), Batch(0, {1}, 1)}, Over(), true}});
  EXPECT_THAT(keeper_->attempts, ElementsAre(1));
  // Twelve seconds of waiting in all, interrupted by the commit after five.
  EXPECT_THAT(streams_->read_timeouts,
              ElementsAre(absl::Seconds(10), absl::Seconds(12), absl::Seconds(5), absl::Seconds(7), absl::Seconds(10)));
  EXPECT_THAT(observer_->reconnects, SizeIs(1));
}

TEST_F(SubscriberPositionsTest, EventsThatKeepComingDoNotPutOffACommit) {
  Keep(0);
  options_.commit.every = absl::Seconds(5);
  on_event_ = [this](const auto&) { sleeper_->now += absl::Seconds(2); };
  Run({{{Started(0), Batch(0, {1, 2, 3, 4, 5, 6, 7}, 7)}, Lost()}});
  EXPECT_THAT(keeper_->attempts, ElementsAre(4, 7));
}

TEST_F(SubscriberPositionsTest, CommitsPositionsPastEventsThatDoNotMatch) {
  Keep(0);
  options_.commit.every = absl::ZeroDuration();
  Run({{{Started(0), HeartbeatAt(100), HeartbeatAt(100), CaughtUpAt(120)}, Lost()}});
  EXPECT_THAT(keeper_->attempts, ElementsAre(100, 120));
}

TEST_F(SubscriberPositionsTest, NeverCommitsPastAnEventThatIsNotHandled) {
  Keep(0);
  options_.commit.every = absl::ZeroDuration();
  options_.handler.max_attempts = 2;
  refuse_sequence_ = 3;
  refusals_ = 100;
  const auto result = Run({{{Started(0), Batch(0, {1, 3}, 9)}, Lost()}});
  EXPECT_EQ(result.end, End::kHandlerFailed);
  EXPECT_THAT(keeper_->attempts, ElementsAre(1));
  EXPECT_EQ(result.committed_position->sequence(), 1u);
}

TEST_F(SubscriberPositionsTest, WhatWasHandledIsCommittedBeforeTheWaitForARefusedEvent) {
  Keep(0);
  refuse_sequence_ = 2;
  refusals_ = 3;
  sleeper_->on_sleep = [this] { EXPECT_THAT(keeper_->attempts, ElementsAre(1)); };
  options_.max_events = 2;
  Run({{{Started(0), Batch(0, {1, 2}, 2)}, Lost()}});
  EXPECT_THAT(keeper_->attempts, ElementsAre(1, 2));
}

TEST_F(SubscriberPositionsTest, WhatWasHandledIsCommittedBeforeTheServerGoesAwayAndBeforeItIsWaitedFor) {
  Keep(0);
  keeper_->by_server = true;
  sleeper_->on_sleep = [this] { EXPECT_THAT(keeper_->attempts, ElementsAre(2)); };
  Run({{{Started(0), Batch(0, {1}, 1), GoingAwayAt(2, 1)}, Lost()}});
  EXPECT_THAT(sleeper_->sleeps, SizeIs(1));
  keeper_->by_server = false;
  keeper_->attempts.clear();
  Keep(2);
  sleeper_->on_sleep = [this] { EXPECT_THAT(keeper_->attempts, ElementsAre(3)); };
  Run({{{Started(2), Batch(2, {3}, 3)}, Lost()}});
  EXPECT_THAT(sleeper_->sleeps, SizeIs(2));
}

TEST_F(SubscriberPositionsTest, ACommitThatFailsInPassingIsTriedAgainLaterWhileEventsGoOn) {
  Keep(0);
  options_.commit.every_events = 1;
  options_.commit.backoff.initial = absl::Seconds(3);
  keeper_->commit_errors = {down_};
  on_event_ = [this](const auto&) { sleeper_->now += absl::Seconds(1); };
  Run({{{Started(0), Batch(0, {1, 2, 3, 4, 5}, 5)}, Lost()}});
  EXPECT_THAT(keeper_->attempts, ElementsAre(1, 4, 5));
  EXPECT_THAT(sequences_, SizeIs(5));
  ASSERT_THAT(observer_->commit_failures, SizeIs(1));
  EXPECT_EQ(observer_->commit_failures[0].message, "the disk is away");
}

TEST_F(SubscriberPositionsTest, ACommitThatWillNeverSucceedEndsTheRun) {
  for (const auto& error : {StatusOf(MakeRpcError(grpc::StatusCode::ABORTED, "other", "VERSION_CHANGED")),
                            StatusOf(MakeRpcError(grpc::StatusCode::FAILED_PRECONDITION, "other", "LOG_ID_CHANGED")),
                            absl::PermissionDeniedError("not yours"), absl::UnimplementedError("not here")}) {
    Keep(0);
    keeper_->attempts.clear();
    sequences_.clear();
    options_.commit.every_events = 1;
    keeper_->commit_errors = {error};
    const auto result = Run({{{Started(0), Batch(0, {1, 2}, 2)}, Lost()}});
    EXPECT_EQ(result.end, End::kPositionsFailed);
    EXPECT_EQ(RpcErrorText(result.error), RpcErrorText(RpcErrorOf(error)));
    EXPECT_THAT(sequences_, ElementsAre(1));
    EXPECT_THAT(keeper_->attempts, ElementsAre(1)) << "it is not tried again at the end";
    EXPECT_EQ(result.position->sequence(), 1u);
    EXPECT_EQ(result.committed_position->sequence(), 0u);
  }
}

TEST_F(SubscriberPositionsTest, ARunThatEndsWellButCannotCommitDoesNotEndWell) {
  Keep(0);
  options_.max_events = 1;
  keeper_->commit_errors = {down_};
  const auto result = Run({{{Started(0), Batch(0, {1}, 1)}, Lost()}});
  EXPECT_EQ(result.end, End::kPositionsFailed);
  EXPECT_EQ(result.error.message, "the disk is away");
  EXPECT_EQ(result.committed_position->sequence(), 0u);
}

TEST_F(SubscriberPositionsTest, AStoppedRunCommitsWhatItHandled) {
  Keep(0);
  on_event_ = [this](const auto&) { subscriber_->Stop(); };
  const auto result = Run({{{Started(0), Batch(0, {1, 2}, 2)}, Lost()}});
  EXPECT_EQ(result.end, End::kStopped);
  EXPECT_THAT(keeper_->attempts, ElementsAre(1));
}

TEST_F(SubscriberPositionsTest, TheNextRunBeginsWhereThisOneEnded) {
  options_.max_events = 2;
  Run({{{Started(0), Batch(0, {1, 2, 3}, 3)}, Lost()}});
  Run({{{Started(2), Batch(2, {3}, 3)}, Lost()}});
  EXPECT_EQ(FormatPosition(streams_->requests.at(0).after()), FormatPosition(positions_.at(1)));
  EXPECT_THAT(sequences_, ElementsAre(1, 2, 3));
}

}  // namespace
}  // namespace refund_relay
