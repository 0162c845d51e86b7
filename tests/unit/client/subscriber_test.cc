// The subscriber over scripted streams: what it hands over, and what each next request carries.
#include "refund_relay/subscriber.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "tests/unit/client/subscriber_fixture.h"
#include "xxhash.h"

namespace refund_relay {
namespace {

using refundrelay::v1::SubscribeRequest;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using End = SubscriberResult::End;

TEST_F(SubscriberTest, ResumesAfterTheLastPositionWithTheSameRequest) {
  const auto result = Run({{{Started(0), Batch(0, {1, 3}, 5)}, Lost()}, {{Started(5), Batch(5, {6}, 6)}, Lost()}});
  EXPECT_THAT(sequences_, ElementsAre(1, 3, 6));
  EXPECT_THAT(observer_->resumed, ElementsAre(false, true));
  ASSERT_THAT(streams_->requests, SizeIs(3));
  EXPECT_EQ(streams_->requests[0].start_from(), refundrelay::v1::START_FROM_EARLIEST);
  EXPECT_EQ(After(1), FormatPosition(At(5)));
  EXPECT_EQ(After(2), FormatPosition(At(6)));
  SubscribeRequest expected = options_.request;
  *expected.mutable_after() = At(5);
  EXPECT_EQ(streams_->requests[1].SerializeAsString(), expected.SerializeAsString());
  EXPECT_EQ(result.end, End::kFailed);  // the script was over: UNAUTHENTICATED is not retried
  EXPECT_EQ(FormatPosition(*result.position), FormatPosition(At(6)));
}

TEST_F(SubscriberTest, AStreamThatBreaksRightAfterStartedIsResumedFromThere) {
  options_.request.set_start_from(refundrelay::v1::START_FROM_LATEST);
  Run({{{Started(41)}, Lost()}});
  EXPECT_EQ(After(1), FormatPosition(At(41)));  // LATEST again would skip what came in between
}

TEST_F(SubscriberTest, AStreamThatNeverStartedKeepsItsStart) {
  Run({{{}, Lost()}, {{Started(0)}, Lost()}});
  EXPECT_EQ(streams_->requests.at(1).start_from(), refundrelay::v1::START_FROM_EARLIEST);
}

TEST_F(SubscriberTest, HeartbeatCaughtUpAndFellBehindMoveThePosition) {
  Run({{{Started(0), HeartbeatAt(7)}, Lost()},
       {{Started(7), CaughtUpAt(8)}, Lost()},
       {{Started(8), FellBehindAt(9)}, Lost()}});
  EXPECT_EQ(After(1), FormatPosition(At(7)));
  EXPECT_EQ(After(2), FormatPosition(At(8)));
  EXPECT_EQ(After(3), FormatPosition(At(9)));
  EXPECT_EQ(observer_->caught_up, 1);
  EXPECT_EQ(observer_->fell_behind, 1);
}

TEST_F(SubscriberTest, TheChainGoesByDeliveriesAndNotByPositions) {
  Run({{{Started(0), Batch(0, {2}, 4), HeartbeatAt(9), Batch(2, {10}, 10)}, Lost()}});
  EXPECT_THAT(sequences_, ElementsAre(2, 10));
}

TEST_F(SubscriberTest, IgnoresKindsThatItDoesNotKnow) {
  refundrelay::v1::SubscribeResponse unknown;
  ASSERT_TRUE(unknown.ParseFromString(std::string("\xA2\x06\x02hi", 5)));  // field 100
  ASSERT_EQ(unknown.response_case(), refundrelay::v1::SubscribeResponse::RESPONSE_NOT_SET);
  Run({{{unknown, Started(0), unknown, Batch(0, {1}, 1), unknown, Batch(1, {2}, 2)}, Lost()}});
  EXPECT_THAT(sequences_, ElementsAre(1, 2));
}

TEST_F(SubscriberTest, AStreamIsDeadAfterThreeHeartbeatIntervals) {
  Run({{{Started(0, absl::Seconds(4)), HeartbeatAt(3)}, Over(), true}});
  EXPECT_THAT(streams_->read_timeouts,
              ElementsAre(absl::Seconds(10), absl::Seconds(12), absl::Seconds(12), absl::Seconds(10)));
  EXPECT_EQ(streams_->cancelled, 1);
  ASSERT_THAT(observer_->reconnects, SizeIs(1));
  EXPECT_THAT(observer_->reconnects[0].message, HasSubstr("12s"));
  EXPECT_EQ(After(1), FormatPosition(At(3)));
}

TEST_F(SubscriberTest, WaitsAsGoingAwaySays) {
  Run({{{Started(0), Batch(0, {1}, 1), GoingAwayAt(6, 40)},
        MakeRpcError(grpc::StatusCode::UNAVAILABLE, "drain", "DRAINING")}});
  EXPECT_EQ(observer_->going_away, 1);
  ASSERT_THAT(sleeper_->sleeps, SizeIs(1));
  EXPECT_EQ(sleeper_->sleeps[0], absl::Seconds(40) + absl::Milliseconds(200));
  EXPECT_EQ(After(1), FormatPosition(At(6)));
}

TEST_F(SubscriberTest, WaitsAsRetryInfoSays) {
  RpcError limit = MakeRpcError(grpc::StatusCode::RESOURCE_EXHAUSTED, "too many", "SUBSCRIBER_LIMIT");
  limit.retry_delay = absl::Seconds(5);
  Run({{{Started(0)}, limit}});
  ASSERT_THAT(sleeper_->sleeps, SizeIs(1));
  EXPECT_EQ(sleeper_->sleeps[0], absl::Seconds(5) + absl::Milliseconds(200));
}

TEST_F(SubscriberTest, BacksOffLongerEachTimeAndStartsOverOnceAStreamLives) {
  Run({{{Started(0)}, Lost()}, {{}, Lost()}, {{Started(0)}, Lost()}, {{Started(0), HeartbeatAt(0)}, Lost()}});
  EXPECT_THAT(sleeper_->sleeps, ElementsAre(absl::Milliseconds(200), absl::Milliseconds(400), absl::Milliseconds(800),
                                            absl::Milliseconds(200)));
}

TEST_F(SubscriberTest, ABrokenChainIsToldAndNothingOfItsBatchIsHandedOver) {
  Run({{{Started(0), Batch(0, {1}, 1), Batch(2, {3}, 3)}, Over()}});
  EXPECT_THAT(sequences_, ElementsAre(1));
  ASSERT_THAT(observer_->reconnects, SizeIs(1));
  EXPECT_EQ(observer_->reconnects[0].reason, "CHAIN_BROKEN");
  EXPECT_THAT(observer_->reconnects[0].message, HasSubstr("follows sequence 2, but the last one seen is 1"));
  EXPECT_EQ(After(1), FormatPosition(At(1)));
}

TEST_F(SubscriberTest, TheChainSpansReconnects) {
  Run({{{Started(0), Batch(0, {1}, 1)}, Lost()}, {{Started(1), Batch(2, {3}, 3)}, Over()}});
  EXPECT_THAT(sequences_, ElementsAre(1));
  ASSERT_THAT(observer_->reconnects, SizeIs(2));
  EXPECT_EQ(observer_->reconnects[1].reason, "CHAIN_BROKEN");
}

TEST_F(SubscriberTest, AResumedStreamThatStartsElsewhereIsABrokenChain) {
  Run({{{Started(0), Batch(0, {1}, 1)}, Lost()}, {{Started(4)}, Over()}});
  ASSERT_THAT(observer_->reconnects, SizeIs(2));
  EXPECT_THAT(observer_->reconnects[1].message, HasSubstr("starts after sequence 4"));
  EXPECT_EQ(After(2), FormatPosition(At(1)));
}

TEST_F(SubscriberTest, DoublesStepsBackAndPositionsThatFallAreBrokenChains) {
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
    observer_ = std::make_shared<RecordingObserver>();
    Run({{responses, Over()}});
    EXPECT_THAT(sequences_, IsEmpty());
    ASSERT_THAT(observer_->reconnects, SizeIs(1));
    EXPECT_EQ(observer_->reconnects[0].reason, "CHAIN_BROKEN");
  }
}

TEST_F(SubscriberTest, AChainThatBreaksAgainAndAgainIsGivenUp) {
  std::vector<StreamScript> scripts;
  for (int i = 0; i < 20; ++i) scripts.push_back({{Started(0), Batch(7, {8}, 8)}, Over()});
  const auto result = Run(std::move(scripts));
  EXPECT_EQ(result.end, End::kFailed);
  EXPECT_EQ(result.error.reason, "CHAIN_BROKEN");
  EXPECT_THAT(streams_->requests, SizeIs(5));
  EXPECT_EQ(result.position->sequence(), 0u);
}

TEST_F(SubscriberTest, GoesOnAsLongAsStreamsThatBreakGetOn) {
  std::vector<StreamScript> scripts;
  for (uint64_t i = 0; i < 20; ++i) {
    scripts.push_back(
        {{Started(i), Batch(i, {i + 1}, i + 1)}, MakeRpcError(grpc::StatusCode::INTERNAL, "reset by a proxy")});
  }
  Run(std::move(scripts));
  EXPECT_THAT(sequences_, SizeIs(20));
}

TEST_F(SubscriberTest, ABoundedReadEndsWithOk) {
  options_.request.set_stop_when_caught_up(true);
  const auto result = Run({{{Started(0), Batch(0, {1}, 1), CaughtUpAt(2)}, Over()}});
  EXPECT_EQ(result.end, End::kBoundReached);
  EXPECT_EQ(result.position->sequence(), 2u);
}

TEST_F(SubscriberTest, AnUnboundedStreamThatEndsWithOkIsResumed) {
  Run({{{Started(0), Batch(0, {1}, 1)}, Over()}});
  EXPECT_EQ(After(1), FormatPosition(At(1)));
}

TEST_F(SubscriberTest, AReadUntilAPositionIsDoneThoughTheStreamBrokeRightThere) {
  *options_.request.mutable_until() = At(2);
  const auto result = Run({{{Started(0), Batch(0, {1, 2}, 2)}, Lost()}});
  EXPECT_EQ(result.end, End::kBoundReached);
  EXPECT_THAT(streams_->requests, SizeIs(1));
}

TEST_F(SubscriberTest, EndsAfterMaxEventsBehindTheLastOneHandedOver) {
  options_.max_events = 2;
  const auto result = Run({{{Started(0), Batch(0, {1, 2, 3}, 9)}, Lost()}});
  EXPECT_EQ(result.end, End::kMaxEvents);
  EXPECT_THAT(sequences_, ElementsAre(1, 2));
  EXPECT_EQ(result.position->sequence(), 2u);
  EXPECT_EQ(result.position->event_hash(), XXH3_64bits("event-2", 7));
  EXPECT_EQ(streams_->cancelled, 1);
}

TEST_F(SubscriberTest, WithoutReconnectTheFirstEndIsTheEnd) {
  options_.keep_reconnecting = false;
  const auto result = Run({{{Started(0), Batch(0, {1}, 1)}, Lost()}});
  EXPECT_EQ(result.end, End::kFailed);
  EXPECT_THAT(streams_->requests, SizeIs(1));
}

TEST_F(SubscriberTest, StopEndsItBetweenTwoEventsAndCancelsTheStream) {
  on_event_ = [this](const auto&) { subscriber_->Stop(); };
  const auto result = Run({{{Started(0), Batch(0, {1, 2}, 2)}, Lost()}});
  EXPECT_EQ(result.end, End::kStopped);
  EXPECT_THAT(sequences_, ElementsAre(1));
  EXPECT_EQ(result.position->sequence(), 1u);
  EXPECT_GE(streams_->cancelled, 1);
  EXPECT_TRUE(sleeper_->woken);
}

TEST_F(SubscriberTest, StopEndsItWhileItWaits) {
  sleeper_->on_sleep = [this] { subscriber_->Stop(); };
  const auto result = Run({{{Started(0)}, Lost()}});
  EXPECT_EQ(result.end, End::kStopped);
  EXPECT_THAT(streams_->requests, SizeIs(1));
}

TEST_F(SubscriberTest, TheFirstConnectionIsTriedForTheConnectTimeoutOnly) {
  std::vector<StreamScript> scripts;
  for (int i = 0; i < 100; ++i) scripts.push_back({{}, Lost()});
  const absl::Time before = sleeper_->now;
  const auto result = Run(std::move(scripts));
  EXPECT_EQ(result.end, End::kFailed);
  EXPECT_EQ(result.error.message, "connection reset");
  EXPECT_FALSE(result.position.has_value());
  EXPECT_LE(sleeper_->now - before, options_.connect_timeout);
  EXPECT_GT(streams_->requests.size(), 3u);
}

TEST_F(SubscriberTest, TheConnectTimeoutIsUsedToItsEndAndForALastAttempt) {
  options_.connect_timeout = absl::Seconds(10);
  const absl::Time before = sleeper_->now;
  Run(std::vector<StreamScript>(100, {{}, Lost()}));
  EXPECT_EQ(sleeper_->now - before, options_.connect_timeout);
  EXPECT_THAT(streams_->requests, SizeIs(sleeper_->sleeps.size() + 1));
  EXPECT_GT(streams_->read_timeouts.back(), absl::ZeroDuration());
}

TEST_F(SubscriberTest, AServerThatAsksForALongerWaitThanIsLeftIsLeftAlone) {
  RpcError limit = MakeRpcError(grpc::StatusCode::RESOURCE_EXHAUSTED, "too many", "SUBSCRIBER_LIMIT");
  limit.retry_delay = absl::Seconds(60);
  const auto result = Run({{{}, limit}});
  EXPECT_EQ(result.error.reason, "SUBSCRIBER_LIMIT");
  EXPECT_THAT(sleeper_->sleeps, IsEmpty());
}

TEST_F(SubscriberTest, AnAttemptThatWaitedInVainTellsTheEarlierCauseAndDoesNotLengthenTheNextWait) {
  Run({{{Started(0)}, Lost()}, {{}, Lost()}, {{}, Over(), true}, {{}, Over(), true}});
  EXPECT_THAT(sleeper_->sleeps, ElementsAre(absl::Milliseconds(200), absl::Milliseconds(400), absl::Milliseconds(200),
                                            absl::Milliseconds(200)));
  ASSERT_THAT(observer_->reconnects, SizeIs(4));
  EXPECT_TRUE(IsUnreachable(observer_->reconnects[3]));
  EXPECT_EQ(observer_->reconnects[3].message, "no server answered for 10s; before: connection reset");
}

TEST_F(SubscriberTest, AStreamThatTheOtherSideCancelsIsABrokenConnection) {
  const RpcError cancelled = MakeRpcError(grpc::StatusCode::CANCELLED, "CANCELLED");
  Run({{{Started(0), Batch(0, {1}, 1)}, cancelled}});
  EXPECT_EQ(After(1), FormatPosition(At(1)));
  const auto result = Run(std::vector<StreamScript>(100, {{}, cancelled}));
  EXPECT_TRUE(IsUnreachable(result.error));
}

TEST_F(SubscriberTest, ARefusedEventIsHandedOverAgainUntilItIsHandledAndNothingOvertakesIt) {
  refuse_sequence_ = 2;
  refusals_ = 7;
  Run({{{Started(0), Batch(0, {1, 2, 3}, 3)}, Lost()}});
  EXPECT_THAT(sequences_, ElementsAre(1, 2, 3));
  EXPECT_EQ(handler_calls_, 10);
  ASSERT_THAT(observer_->handler_errors, SizeIs(7));
  EXPECT_EQ(observer_->handler_errors[0], std::make_tuple(2u, 1u, absl::Milliseconds(200)));
  EXPECT_EQ(observer_->handler_errors[6], std::make_tuple(2u, 7u, absl::Milliseconds(12'800)));
  EXPECT_EQ(After(1), FormatPosition(At(3)));
}

TEST_F(SubscriberTest, TheWaitsForTheNextRefusedEventBeginSmallAgain) {
  refuse_sequence_ = 1;
  refusals_ = 3;
  on_event_ = [this](const auto& delivery) {
    if (delivery.sequence() != 2 || refuse_sequence_ == 2) return;
    refuse_sequence_ = 2;
    refusals_ = 1;
  };
  Run({{{Started(0), Batch(0, {1, 2}, 2)}, Lost()}});
  ASSERT_THAT(observer_->handler_errors, SizeIs(4));
  EXPECT_EQ(observer_->handler_errors[3], std::make_tuple(2u, 1u, absl::Milliseconds(200)));
}

TEST_F(SubscriberTest, AnEventThatIsRefusedAsOftenAsAllowedEndsTheRunBeforeIt) {
  options_.handler.max_attempts = 3;
  refuse_sequence_ = 2;
  refusals_ = 100;
  const auto result = Run({{{Started(0), Batch(0, {1, 2, 3}, 3)}, Lost()}});
  EXPECT_EQ(result.end, End::kHandlerFailed);
  EXPECT_EQ(result.error.message, "the ledger is down");
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(handler_calls_, 4);
  EXPECT_THAT(sequences_, ElementsAre(1));
  EXPECT_EQ(result.position->sequence(), 1u);
  EXPECT_THAT(streams_->requests, SizeIs(1));
}

TEST_F(SubscriberTest, StopEndsTheWaitForARefusedEvent) {
  refuse_sequence_ = 2;
  refusals_ = 100;
  sleeper_->on_sleep = [this] { subscriber_->Stop(); };
  const auto result = Run({{{Started(0), Batch(0, {1, 2}, 2)}, Lost()}});
  EXPECT_EQ(result.end, End::kStopped);
  EXPECT_EQ(result.position->sequence(), 1u);
  EXPECT_EQ(handler_calls_, 2);
}

TEST_F(SubscriberTest, TimeInTheHandlerIsNoSilence) {
  on_event_ = [this](const auto&) { sleeper_->now += absl::Hours(5); };
  Run({{{Started(0, absl::Seconds(4)), Batch(0, {1}, 1)}, Over(), true}});
  EXPECT_THAT(sequences_, ElementsAre(1));
  // After the handler's hours the stream is still waited for in full.
  EXPECT_THAT(streams_->read_timeouts,
              ElementsAre(absl::Seconds(10), absl::Seconds(12), absl::Seconds(12), absl::Seconds(10)));
}

TEST_F(SubscriberTest, TheDeadStreamPolicyIsKept) {
  options_.dead_stream.heartbeat_intervals = 5;
  options_.dead_stream.start_timeout = absl::Seconds(7);
  Run({{{Started(0, absl::Seconds(4))}, Over(), true}});
  EXPECT_THAT(streams_->read_timeouts, ElementsAre(absl::Seconds(7), absl::Seconds(20), absl::Seconds(7)));
}

TEST_F(SubscriberTest, HeartbeatsTellTheLag) {
  Run({{{Started(0), HeartbeatAt(4, 10), HeartbeatAt(12, 12)}, Lost()}});
  EXPECT_THAT(observer_->lags, ElementsAre(6, 0));
}

TEST_F(SubscriberTest, ByDefaultItWaitsForItsServerForEver) {
  options_.connect_timeout = SubscriberOptions().connect_timeout;
  const absl::Time before = sleeper_->now;
  Run(std::vector<StreamScript>(200, {{}, Lost()}));
  EXPECT_THAT(streams_->requests, SizeIs(201));
  EXPECT_GT(sleeper_->now - before, absl::Hours(1));
}

TEST_F(SubscriberTest, ThereIsNoDefaultStart) {
  options_.request.clear_start_from();
  keeper_ = std::make_shared<ScriptedKeeper>();
  keeper_->kept = KeptPosition{At(3), options_.request.filter()};
  const auto result = Run({});
  EXPECT_EQ(result.end, End::kFailed);
  EXPECT_EQ(result.error.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(result.error.message, HasSubstr("start"));
  EXPECT_THAT(streams_->requests, IsEmpty());
}

TEST(SubscriberPartsTest, StreamsAndAHandlerAreRequired) {
  SubscriberOptions options;
  options.request.set_start_from(refundrelay::v1::START_FROM_EARLIEST);
  const auto result = Subscriber(options, {}).Run();
  EXPECT_EQ(result.error.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(result.error.message, HasSubstr("`streams` and a `handler`"));
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
