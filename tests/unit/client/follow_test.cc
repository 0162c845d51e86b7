// The follow loop over scripted streams: what it hands over, and what each next request carries.
#include "client/follow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "client/position_text.h"
#include "tests/unit/client/scripted_streams.h"
#include "xxhash.h"

namespace refund_relay {
namespace {

using refundrelay::v1::SubscribeRequest;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using End = FollowResult::End;

RpcError Lost() { return MakeRpcError(grpc::StatusCode::UNAVAILABLE, "connection reset"); }
RpcError Over() { return {}; }

SubscribeRequest FromEarliest() {
  SubscribeRequest request;
  request.set_subscriber_name("books");
  request.mutable_filter()->add_event_names("refunded.pass");
  request.set_start_from(refundrelay::v1::START_FROM_EARLIEST);
  request.set_omit_personal_data(true);
  return request;
}

class FollowTest : public testing::Test {
 protected:
  FollowResult Run(std::vector<StreamScript> scripts) {
    streams_ = std::make_unique<ScriptedStreams>(std::move(scripts));
    Follower follower(
        options_, *streams_, sleeper_, Backoff(BackoffPolicy{}, [] { return 1.0; }), [this] { return sleeper_.now; },
        observer_);
    follower_ = &follower;
    return follower.Run();
  }
  // The position that request number `i` asks to start after; empty if it starts otherwise.
  std::string After(size_t i) const {
    return streams_->requests.at(i).has_after() ? FormatPosition(streams_->requests.at(i).after()) : "";
  }

  FollowOptions options_{.request = FromEarliest()};
  std::unique_ptr<ScriptedStreams> streams_;
  FakeSleeper sleeper_;
  RecordingObserver observer_;
  Follower* follower_ = nullptr;
};

TEST_F(FollowTest, ResumesAfterTheLastPositionWithTheSameRequest) {
  const auto result = Run({{{Started(0), Batch(0, {1, 3}, 5)}, Lost()}, {{Started(5), Batch(5, {6}, 6)}, Lost()}});
  EXPECT_THAT(observer_.sequences, ElementsAre(1, 3, 6));
  EXPECT_THAT(observer_.resumed, ElementsAre(false, true));
  ASSERT_THAT(streams_->requests, SizeIs(3));
  EXPECT_EQ(streams_->requests[0].start_from(), refundrelay::v1::START_FROM_EARLIEST);
  EXPECT_EQ(After(1), FormatPosition(At(5)));
  EXPECT_EQ(After(2), FormatPosition(At(6)));
  SubscribeRequest expected = FromEarliest();
  *expected.mutable_after() = At(5);
  EXPECT_EQ(streams_->requests[1].SerializeAsString(), expected.SerializeAsString());
  EXPECT_EQ(result.end, End::kFailed);  // the script was over: UNAUTHENTICATED is not retried
  EXPECT_EQ(FormatPosition(*result.position), FormatPosition(At(6)));
}

TEST_F(FollowTest, AStreamThatBreaksRightAfterStartedIsResumedFromThere) {
  options_.request.set_start_from(refundrelay::v1::START_FROM_LATEST);
  Run({{{Started(41)}, Lost()}});
  EXPECT_EQ(After(1), FormatPosition(At(41)));  // LATEST again would skip what came in between
}

TEST_F(FollowTest, AStreamThatNeverStartedKeepsItsStart) {
  Run({{{}, Lost()}, {{Started(0)}, Lost()}});
  EXPECT_EQ(streams_->requests.at(1).start_from(), refundrelay::v1::START_FROM_EARLIEST);
}

TEST_F(FollowTest, HeartbeatCaughtUpAndFellBehindMoveThePosition) {
  Run({{{Started(0), HeartbeatAt(7)}, Lost()},
       {{Started(7), CaughtUpAt(8)}, Lost()},
       {{Started(8), FellBehindAt(9)}, Lost()}});
  EXPECT_EQ(After(1), FormatPosition(At(7)));
  EXPECT_EQ(After(2), FormatPosition(At(8)));
  EXPECT_EQ(After(3), FormatPosition(At(9)));
  EXPECT_EQ(observer_.caught_up, 1);
  EXPECT_EQ(observer_.fell_behind, 1);
}

TEST_F(FollowTest, TheChainGoesByDeliveriesAndNotByPositions) {
  Run({{{Started(0), Batch(0, {2}, 4), HeartbeatAt(9), Batch(2, {10}, 10)}, Lost()}});
  EXPECT_THAT(observer_.sequences, ElementsAre(2, 10));
}

TEST_F(FollowTest, IgnoresKindsThatItDoesNotKnow) {
  refundrelay::v1::SubscribeResponse unknown;
  ASSERT_TRUE(unknown.ParseFromString(std::string("\xA2\x06\x02hi", 5)));  // field 100
  ASSERT_EQ(unknown.response_case(), refundrelay::v1::SubscribeResponse::RESPONSE_NOT_SET);
  Run({{{unknown, Started(0), unknown, Batch(0, {1}, 1), unknown, Batch(1, {2}, 2)}, Lost()}});
  EXPECT_THAT(observer_.sequences, ElementsAre(1, 2));
}

TEST_F(FollowTest, AStreamIsDeadAfterThreeHeartbeatIntervals) {
  Run({{{Started(0, absl::Seconds(4)), HeartbeatAt(3)}, Over(), true}});
  EXPECT_THAT(streams_->read_timeouts,
              ElementsAre(absl::Seconds(10), absl::Seconds(12), absl::Seconds(12), absl::Seconds(10)));
  EXPECT_EQ(streams_->cancelled, 1);
  ASSERT_THAT(observer_.reconnects, SizeIs(1));
  EXPECT_THAT(observer_.reconnects[0].message, HasSubstr("12s"));
  EXPECT_EQ(After(1), FormatPosition(At(3)));
}

TEST_F(FollowTest, WaitsAsGoingAwaySays) {
  Run({{{Started(0), Batch(0, {1}, 1), GoingAwayAt(6, 40)},
        MakeRpcError(grpc::StatusCode::UNAVAILABLE, "drain", "DRAINING")}});
  EXPECT_EQ(observer_.going_away, 1);
  ASSERT_THAT(sleeper_.sleeps, SizeIs(1));
  EXPECT_EQ(sleeper_.sleeps[0], absl::Seconds(40) + absl::Milliseconds(200));
  EXPECT_EQ(After(1), FormatPosition(At(6)));
}

TEST_F(FollowTest, WaitsAsRetryInfoSays) {
  RpcError limit = MakeRpcError(grpc::StatusCode::RESOURCE_EXHAUSTED, "too many", "SUBSCRIBER_LIMIT");
  limit.retry_delay = absl::Seconds(5);
  Run({{{Started(0)}, limit}});
  ASSERT_THAT(sleeper_.sleeps, SizeIs(1));
  EXPECT_EQ(sleeper_.sleeps[0], absl::Seconds(5) + absl::Milliseconds(200));
}

TEST_F(FollowTest, BacksOffLongerEachTimeAndStartsOverOnceAStreamLives) {
  Run({{{Started(0)}, Lost()}, {{}, Lost()}, {{Started(0)}, Lost()}, {{Started(0), HeartbeatAt(0)}, Lost()}});
  EXPECT_THAT(sleeper_.sleeps, ElementsAre(absl::Milliseconds(200), absl::Milliseconds(400), absl::Milliseconds(800),
                                           absl::Milliseconds(200)));
}

TEST_F(FollowTest, ABrokenChainIsToldAndNothingOfItsBatchIsHandedOver) {
  Run({{{Started(0), Batch(0, {1}, 1), Batch(2, {3}, 3)}, Over()}});
  EXPECT_THAT(observer_.sequences, ElementsAre(1));
  ASSERT_THAT(observer_.reconnects, SizeIs(1));
  EXPECT_EQ(observer_.reconnects[0].reason, "CHAIN_BROKEN");
  EXPECT_THAT(observer_.reconnects[0].message, HasSubstr("follows sequence 2, but the last one seen is 1"));
  EXPECT_EQ(After(1), FormatPosition(At(1)));
}

TEST_F(FollowTest, TheChainSpansReconnects) {
  Run({{{Started(0), Batch(0, {1}, 1)}, Lost()}, {{Started(1), Batch(2, {3}, 3)}, Over()}});
  EXPECT_THAT(observer_.sequences, ElementsAre(1));
  ASSERT_THAT(observer_.reconnects, SizeIs(2));
  EXPECT_EQ(observer_.reconnects[1].reason, "CHAIN_BROKEN");
}

TEST_F(FollowTest, AResumedStreamThatStartsElsewhereIsABrokenChain) {
  Run({{{Started(0), Batch(0, {1}, 1)}, Lost()}, {{Started(4)}, Over()}});
  ASSERT_THAT(observer_.reconnects, SizeIs(2));
  EXPECT_THAT(observer_.reconnects[1].message, HasSubstr("starts after sequence 4"));
  EXPECT_EQ(After(2), FormatPosition(At(1)));
}

TEST_F(FollowTest, DoublesStepsBackAndPositionsThatFallAreBrokenChains) {
  const std::vector<std::vector<refundrelay::v1::SubscribeResponse>> broken = {
      {Started(5), Batch(5, {7, 7}, 7)},
      {Started(5), Batch(5, {7, 6}, 7)},
      {Started(5), Batch(5, {5}, 5)},
      {Started(5), Batch(5, {7}, 6)},
      {Started(5), HeartbeatAt(4)},
      {Started(5), Started(5)},
      {Batch(0, {1}, 1)},
      {HeartbeatAt(5)},
  };
  for (const auto& responses : broken) {
    observer_ = RecordingObserver();
    Run({{responses, Over()}});
    EXPECT_THAT(observer_.sequences, IsEmpty());
    ASSERT_THAT(observer_.reconnects, SizeIs(1));
    EXPECT_EQ(observer_.reconnects[0].reason, "CHAIN_BROKEN");
  }
}

TEST_F(FollowTest, AChainThatBreaksAgainAndAgainIsGivenUp) {
  std::vector<StreamScript> scripts;
  for (int i = 0; i < 20; ++i) scripts.push_back({{Started(0), Batch(7, {8}, 8)}, Over()});
  const auto result = Run(std::move(scripts));
  EXPECT_EQ(result.end, End::kFailed);
  EXPECT_EQ(result.error.reason, "CHAIN_BROKEN");
  EXPECT_THAT(streams_->requests, SizeIs(5));
  EXPECT_EQ(result.position->sequence(), 0u);
}

TEST_F(FollowTest, PassingTroubleIsRetriedForEver) {
  const std::vector<RpcError> passing = {
      MakeRpcError(grpc::StatusCode::UNAVAILABLE, "", "DRAINING"),
      MakeRpcError(grpc::StatusCode::UNAVAILABLE, "", "MAX_STREAM_AGE"),
      MakeRpcError(grpc::StatusCode::UNAVAILABLE, "", "POLICY_CHANGED"),
      MakeRpcError(grpc::StatusCode::UNAVAILABLE, "", "STORAGE_UNAVAILABLE"),
      MakeRpcError(grpc::StatusCode::RESOURCE_EXHAUSTED, "", "SUBSCRIBER_LIMIT"),
      MakeRpcError(grpc::StatusCode::RESOURCE_EXHAUSTED, "SLOW_SUBSCRIBER at sequence 4"),
      MakeRpcError(grpc::StatusCode::DEADLINE_EXCEEDED, "proxy"),
      MakeRpcError(grpc::StatusCode::CANCELLED, "proxy"),
  };
  for (const auto& status : passing) {
    std::vector<StreamScript> scripts = {{{Started(0)}, status}};
    for (int i = 0; i < 20; ++i) scripts.push_back({{}, status});
    const auto result = Run(std::move(scripts));
    EXPECT_THAT(streams_->requests, SizeIs(22)) << CodeName(status.code) << status.reason;
    EXPECT_EQ(result.error.message, "the script is over");
  }
}

TEST_F(FollowTest, AGapOfTheServerIsToldAndResumedButNotForEver) {
  std::vector<StreamScript> scripts;
  for (int i = 0; i < 20; ++i) {
    scripts.push_back({{Started(0)}, MakeRpcError(grpc::StatusCode::INTERNAL, "do not join", "GAP")});
  }
  const auto result = Run(std::move(scripts));
  EXPECT_EQ(result.error.reason, "GAP");
  EXPECT_THAT(streams_->requests, SizeIs(5));
  EXPECT_THAT(observer_.reconnects, SizeIs(4));
}

TEST_F(FollowTest, GoesOnAsLongAsStreamsThatBreakGetOn) {
  std::vector<StreamScript> scripts;
  for (uint64_t i = 0; i < 20; ++i) {
    scripts.push_back(
        {{Started(i), Batch(i, {i + 1}, i + 1)}, MakeRpcError(grpc::StatusCode::INTERNAL, "reset by a proxy")});
  }
  Run(std::move(scripts));
  EXPECT_THAT(observer_.sequences, SizeIs(20));
}

TEST_F(FollowTest, WhatWouldSkipOrFailAgainEndsAtOnceAndKeepsThePosition) {
  const std::vector<RpcError> final = {
      MakeRpcError(grpc::StatusCode::OUT_OF_RANGE, "", "POSITION_EXPIRED"),
      MakeRpcError(grpc::StatusCode::FAILED_PRECONDITION, "", "LOG_ID_CHANGED"),
      MakeRpcError(grpc::StatusCode::FAILED_PRECONDITION, "", "POSITION_AHEAD"),
      MakeRpcError(grpc::StatusCode::FAILED_PRECONDITION, "", "POSITION_MISMATCH"),
      MakeRpcError(grpc::StatusCode::FAILED_PRECONDITION, "", "FILTER_WIDENED"),
      MakeRpcError(grpc::StatusCode::INVALID_ARGUMENT, "bad"),
      MakeRpcError(grpc::StatusCode::DATA_LOSS, "", "CHECKSUM"),
      MakeRpcError(grpc::StatusCode::UNAUTHENTICATED, "who"),
      MakeRpcError(grpc::StatusCode::PERMISSION_DENIED, "not yours"),
      MakeRpcError(grpc::StatusCode::UNIMPLEMENTED, "start_from COMMITTED"),
  };
  for (const auto& status : final) {
    const auto result = Run({{{Started(0), Batch(0, {1}, 1)}, Lost()}, {{}, status}});
    EXPECT_EQ(result.end, End::kFailed);
    EXPECT_EQ(result.error.code, status.code);
    EXPECT_EQ(result.error.reason, status.reason);
    EXPECT_THAT(streams_->requests, SizeIs(2)) << CodeName(status.code);
    EXPECT_EQ(FormatPosition(*result.position), FormatPosition(At(1)));
  }
}

TEST_F(FollowTest, ABoundedReadEndsWithOk) {
  options_.request.set_stop_when_caught_up(true);
  const auto result = Run({{{Started(0), Batch(0, {1}, 1), CaughtUpAt(2)}, Over()}});
  EXPECT_EQ(result.end, End::kBoundReached);
  EXPECT_EQ(result.position->sequence(), 2u);
}

TEST_F(FollowTest, AnUnboundedStreamThatEndsWithOkIsResumed) {
  Run({{{Started(0), Batch(0, {1}, 1)}, Over()}});
  EXPECT_EQ(After(1), FormatPosition(At(1)));
}

TEST_F(FollowTest, AReadUntilAPositionIsDoneThoughTheStreamBrokeRightThere) {
  *options_.request.mutable_until() = At(2);
  const auto result = Run({{{Started(0), Batch(0, {1, 2}, 2)}, Lost()}});
  EXPECT_EQ(result.end, End::kBoundReached);
  EXPECT_THAT(streams_->requests, SizeIs(1));
}

TEST_F(FollowTest, EndsAfterMaxEventsBehindTheLastOneHandedOver) {
  options_.max_events = 2;
  const auto result = Run({{{Started(0), Batch(0, {1, 2, 3}, 9)}, Lost()}});
  EXPECT_EQ(result.end, End::kMaxEvents);
  EXPECT_THAT(observer_.sequences, ElementsAre(1, 2));
  EXPECT_EQ(result.position->sequence(), 2u);
  EXPECT_EQ(result.position->event_hash(), XXH3_64bits("event-2", 7));
  EXPECT_EQ(streams_->cancelled, 1);
}

TEST_F(FollowTest, AnEventThatCouldNotBeHandledIsNotCounted) {
  observer_.refuse_sequence = 2;
  const auto result = Run({{{Started(0), Batch(0, {1, 2, 3}, 3)}, Lost()}});
  EXPECT_EQ(result.end, End::kFailed);
  EXPECT_EQ(result.error.reason, "OUTPUT_FAILED");
  EXPECT_EQ(result.position->sequence(), 1u);
  EXPECT_THAT(streams_->requests, SizeIs(1));
}

TEST_F(FollowTest, WithoutReconnectTheFirstEndIsTheEnd) {
  options_.reconnect = false;
  const auto result = Run({{{Started(0), Batch(0, {1}, 1)}, Lost()}});
  EXPECT_EQ(result.end, End::kFailed);
  EXPECT_THAT(streams_->requests, SizeIs(1));
}

TEST_F(FollowTest, StopEndsItBetweenTwoEventsAndCancelsTheStream) {
  observer_.on_event = [this] { follower_->Stop(); };
  const auto result = Run({{{Started(0), Batch(0, {1, 2}, 2)}, Lost()}});
  EXPECT_EQ(result.end, End::kStopped);
  EXPECT_THAT(observer_.sequences, ElementsAre(1));
  EXPECT_EQ(result.position->sequence(), 1u);
  EXPECT_GE(streams_->cancelled, 1);
  EXPECT_TRUE(sleeper_.woken);
}

TEST_F(FollowTest, StopEndsItWhileItWaits) {
  sleeper_.on_sleep = [this] { follower_->Stop(); };
  const auto result = Run({{{Started(0)}, Lost()}});
  EXPECT_EQ(result.end, End::kStopped);
  EXPECT_THAT(streams_->requests, SizeIs(1));
}

TEST_F(FollowTest, TheFirstConnectionIsTriedForTheConnectTimeoutOnly) {
  std::vector<StreamScript> scripts;
  for (int i = 0; i < 100; ++i) scripts.push_back({{}, Lost()});
  const absl::Time before = sleeper_.now;
  const auto result = Run(std::move(scripts));
  EXPECT_EQ(result.end, End::kFailed);
  EXPECT_EQ(result.error.message, "connection reset");
  EXPECT_FALSE(result.position.has_value());
  EXPECT_LE(sleeper_.now - before, options_.connect_timeout);
  EXPECT_GT(streams_->requests.size(), 3u);
}

TEST_F(FollowTest, TheConnectTimeoutIsUsedToItsEndAndForALastAttempt) {
  options_.connect_timeout = absl::Seconds(10);
  const absl::Time before = sleeper_.now;
  Run(std::vector<StreamScript>(100, {{}, Lost()}));
  EXPECT_EQ(sleeper_.now - before, options_.connect_timeout);
  EXPECT_THAT(streams_->requests, SizeIs(sleeper_.sleeps.size() + 1));
  EXPECT_GT(streams_->read_timeouts.back(), absl::ZeroDuration());
}

TEST_F(FollowTest, AServerThatAsksForALongerWaitThanIsLeftIsLeftAlone) {
  RpcError limit = MakeRpcError(grpc::StatusCode::RESOURCE_EXHAUSTED, "too many", "SUBSCRIBER_LIMIT");
  limit.retry_delay = absl::Seconds(60);
  const auto result = Run({{{}, limit}});
  EXPECT_EQ(result.error.reason, "SUBSCRIBER_LIMIT");
  EXPECT_THAT(sleeper_.sleeps, IsEmpty());
}

TEST_F(FollowTest, AnAttemptThatWaitedInVainTellsTheEarlierCauseAndDoesNotLengthenTheNextWait) {
  Run({{{Started(0)}, Lost()}, {{}, Lost()}, {{}, Over(), true}, {{}, Over(), true}});
  EXPECT_THAT(sleeper_.sleeps, ElementsAre(absl::Milliseconds(200), absl::Milliseconds(400), absl::Milliseconds(200),
                                           absl::Milliseconds(200)));
  ASSERT_THAT(observer_.reconnects, SizeIs(4));
  EXPECT_TRUE(IsUnreachable(observer_.reconnects[3]));
  EXPECT_EQ(observer_.reconnects[3].message, "no server answered for 10s; before: connection reset");
}

TEST_F(FollowTest, AStreamThatTheOtherSideCancelsIsABrokenConnection) {
  const RpcError cancelled = MakeRpcError(grpc::StatusCode::CANCELLED, "CANCELLED");
  Run({{{Started(0), Batch(0, {1}, 1)}, cancelled}});
  EXPECT_EQ(After(1), FormatPosition(At(1)));
  const auto result = Run(std::vector<StreamScript>(100, {{}, cancelled}));
  EXPECT_TRUE(IsUnreachable(result.error));
}

TEST(BackoffTest, WaitsAreDrawnFromTheUpperHalfUpToTheLongest) {
  Backoff eager({.initial = absl::Seconds(1), .longest = absl::Seconds(3)}, [] { return 0.0; });
  EXPECT_EQ(eager.Next(), absl::Milliseconds(500));
  EXPECT_EQ(eager.Next(), absl::Seconds(1));
  EXPECT_EQ(eager.Next(), absl::Milliseconds(1500));
  EXPECT_EQ(eager.Next(), absl::Milliseconds(1500));
  eager.Reset();
  EXPECT_EQ(eager.Next(), absl::Milliseconds(500));
}

TEST(BackoffTest, TheSystemsRandomnessJitters) {
  Backoff backoff({.initial = absl::Seconds(1), .longest = absl::Seconds(1)});
  std::vector<absl::Duration> waits;
  for (int i = 0; i < 20; ++i) waits.push_back(backoff.Next());
  EXPECT_TRUE(std::all_of(waits.begin(), waits.end(), [](absl::Duration wait) {
    return wait >= absl::Milliseconds(500) && wait < absl::Seconds(1);
  }));
  EXPECT_NE(*std::min_element(waits.begin(), waits.end()), *std::max_element(waits.begin(), waits.end()));
}

}  // namespace
}  // namespace refund_relay
