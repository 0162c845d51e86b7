// The real gRPC server with a C++ client: what a stream says and when, limits, going away.
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "refundrelay/v1/rpc_status.pb.h"
#include "tests/testing/log_probe.h"
#include "tests/testing/streaming_server.h"
#include "tests/testing/test_events.h"

namespace refund_relay {
namespace {

using refundrelay::v1::SubscribeRequest;
using refundrelay::v1::SubscribeResponse;

std::string ReasonIn(const grpc::Status& status) {
  refundrelay::v1::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  refundrelay::v1::ErrorInfo info;
  return details.details_size() > 0 && info.ParseFromString(details.details(0).value()) ? info.reason() : "none";
}

std::vector<NewEvent> Events(uint64_t count) {
  std::vector<NewEvent> events;
  for (uint64_t i = 1; i <= count; ++i) events.push_back(MakeNewEvent(i));
  return events;
}

SubscribeRequest FromLatest() {
  SubscribeRequest request = FromEarliest();
  request.set_start_from(refundrelay::v1::START_FROM_LATEST);
  return request;
}

TEST(StreamingTest, StartedThenHistoryThenCaughtUpThenLive) {
  StreamingServer server({.stored = Events(3)});
  const auto stub = server.NewStub();
  StreamReader stream(*stub, FromEarliest());
  const SubscribeResponse started = stream.Read();
  ASSERT_TRUE(started.has_started());
  EXPECT_EQ(started.started().position().sequence(), 0u);
  EXPECT_EQ(started.started().first_sequence(), 1u);
  EXPECT_EQ(started.started().last_sequence(), 3u);
  EXPECT_EQ(started.started().heartbeat_interval().seconds(), 15);
  EXPECT_EQ(started.started().server_instance(), "test-instance");
  EXPECT_EQ(started.started().log_id(), server.log().Info().log_id);
  const SubscribeResponse history = stream.Read();
  ASSERT_TRUE(history.has_batch());
  EXPECT_FALSE(history.batch().live());
  EXPECT_EQ(history.batch().deliveries_size(), 3);
  EXPECT_EQ(history.batch().position().event_hash(), EventHash(MakeNewEvent(3).event_id));
  EXPECT_TRUE(stream.Read().has_caught_up());
  AppendOrFail(server.log(), MakeNewEvent(4));
  const SubscribeResponse live = stream.Read();
  ASSERT_TRUE(live.has_batch());
  EXPECT_TRUE(live.batch().live());
  EXPECT_EQ(live.batch().previous_sequence(), 3u);
  EXPECT_EQ(live.batch().deliveries(0).sequence(), 4u);
}

TEST(StreamingTest, LatestStartsAfterWhatStartedSays) {
  StreamingServer server({.stored = Events(5)});
  const auto stub = server.NewStub();
  StreamReader stream(*stub, FromLatest());
  const SubscribeResponse started = stream.Read();
  EXPECT_EQ(started.started().position().sequence(), 5u);
  EXPECT_EQ(started.started().last_sequence(), 5u);
  EXPECT_EQ(started.started().position().event_hash(), EventHash(MakeNewEvent(5).event_id));
  EXPECT_TRUE(stream.Read().has_caught_up());
  AppendOrFail(server.log(), MakeNewEvent(6));
  EXPECT_EQ(stream.Read().batch().deliveries(0).sequence(), 6u);
}

TEST(StreamingTest, HeartbeatsTellHowFarBehindAndMovePastWhatDoesNotMatch) {
  StreamingServer server({.stored = Events(4)});
  const auto stub = server.NewStub();
  SubscribeRequest request = FromEarliest();
  request.mutable_heartbeat_interval()->set_seconds(1);
  request.mutable_filter()->add_event_names("refunded.subscription");
  StreamReader stream(*stub, request);
  EXPECT_TRUE(stream.Read().has_started());
  EXPECT_TRUE(stream.Read().has_caught_up());
  AppendOrFail(server.log(), MakeNewEvent(5));  // does not match either
  const SubscribeResponse heartbeat = stream.Read();
  ASSERT_TRUE(heartbeat.has_heartbeat());
  EXPECT_EQ(heartbeat.heartbeat().position().sequence(), 5u);
  EXPECT_EQ(heartbeat.heartbeat().last_sequence(), 5u);
  EXPECT_TRUE(heartbeat.heartbeat().has_server_time());
  EXPECT_TRUE(stream.Read().has_heartbeat()) << "and again";
}

TEST(StreamingTest, BoundedReadsEndWithOk) {
  StreamingServer server({.stored = Events(6)});
  const auto stub = server.NewStub();
  SubscribeRequest request = FromEarliest();
  *request.mutable_until() = server.PositionAt(4);
  StreamReader until(*stub, request);
  EXPECT_TRUE(until.Read().has_started());
  EXPECT_EQ(until.Read().batch().deliveries_size(), 4);
  SubscribeResponse response;
  EXPECT_FALSE(until.TryRead(&response));
  EXPECT_TRUE(until.Finish().ok());

  request = FromEarliest();
  request.set_stop_when_caught_up(true);
  StreamReader caught_up(*stub, request);
  EXPECT_TRUE(caught_up.Read().has_started());
  EXPECT_EQ(caught_up.Read().batch().deliveries_size(), 6);
  EXPECT_TRUE(caught_up.Read().has_caught_up());
  EXPECT_FALSE(caught_up.TryRead(&response));
  EXPECT_TRUE(caught_up.Finish().ok());
}

// What a stream has not read yet may be deleted under it, if it is slow enough.
TEST(StreamingTest, EventsThatRetentionDeletesBeforeAStreamReadsThemEndIt) {
  std::vector<NewEvent> stored = Events(6000);
  for (NewEvent& event : stored) {  // 60 MB, more than any buffer on the way holds
    refundrelay::v1::RefundEvent large;
    ASSERT_TRUE(large.ParseFromString(event.event));
    large.mutable_user()->set_name(std::string(10'000, 'n'));
    event.event = large.SerializeAsString();
  }
  StreamingServer server({.fan_out = {.window_bytes = 1}, .stored = std::move(stored)});
  const auto stub = server.NewStub();
  StreamReader stream(*stub, FromEarliest());
  EXPECT_TRUE(stream.Read().has_started());
  uint64_t last = stream.Read().batch().position().sequence();
  TrimRequest everything;
  everything.stored_before = absl::InfiniteFuture();
  const auto trimmed = TrimAll(server.log(), everything);
  ASSERT_TRUE(trimmed.ok()) << trimmed.status();
  SubscribeResponse response;
  while (stream.TryRead(&response)) {
    ASSERT_TRUE(response.has_batch() || response.has_heartbeat());
    if (response.has_batch()) {
      ASSERT_EQ(response.batch().previous_sequence(), last) << "nothing is skipped";
      last = response.batch().position().sequence();
    }
  }
  const grpc::Status status = stream.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_EQ(ReasonIn(status), "POSITION_EXPIRED");
  EXPECT_LT(last, 6000u);

  // The log is empty now: the end is a place to start from, and the start is the end.
  for (const auto start : {refundrelay::v1::START_FROM_LATEST, refundrelay::v1::START_FROM_EARLIEST}) {
    SubscribeRequest request = FromEarliest();
    request.set_start_from(start);
    StreamReader next(*stub, request);
    const SubscribeResponse started = next.Read();
    EXPECT_EQ(started.started().position().sequence(), 6000u);
    EXPECT_EQ(started.started().first_sequence(), 6001u);
    EXPECT_EQ(started.started().last_sequence(), 6000u);
    EXPECT_TRUE(next.Read().has_caught_up());
  }
}

TEST(StreamingTest, ABoundThatNothingMatchesIsSaidByAHeartbeat) {
  StreamingServer server({.stored = Events(6)});
  const auto stub = server.NewStub();
  SubscribeRequest request = FromEarliest();
  request.mutable_filter()->add_event_names("refunded.subscription");
  *request.mutable_until() = server.PositionAt(4);
  StreamReader stream(*stub, request);
  EXPECT_TRUE(stream.Read().has_started());
  EXPECT_EQ(stream.Read().heartbeat().position().sequence(), 4u);
  SubscribeResponse response;
  EXPECT_FALSE(stream.TryRead(&response));
  EXPECT_TRUE(stream.Finish().ok());
}

TEST(StreamingTest, TooManyStreamsAreRefusedAndRoomComesBack) {
  StreamingServer::Options options;
  options.grpc.max_streams = 1;
  StreamingServer server(std::move(options));
  const auto stub = server.NewStub();
  {
    StreamReader first(*stub, FromLatest());
    EXPECT_TRUE(first.Read().has_started());
    StreamReader second(*stub, FromLatest());
    SubscribeResponse response;
    EXPECT_FALSE(second.TryRead(&response));
    const grpc::Status status = second.Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_EQ(ReasonIn(status), "SUBSCRIBER_LIMIT");
  }
  server.AwaitOpenStreams(0);
  StreamReader third(*stub, FromLatest());
  EXPECT_TRUE(third.Read().has_started());
}

TEST(StreamingTest, AnOldStreamIsSentAwayWithItsPosition) {
  StreamingServer::Options options;
  options.grpc.max_stream_age = absl::Seconds(3);
  options.stored = Events(2);
  StreamingServer server(std::move(options));
  const auto stub = server.NewStub();
  StreamReader stream(*stub, FromEarliest());
  SubscribeResponse response;
  SubscribeResponse last;
  while (stream.TryRead(&response)) last = response;
  ASSERT_TRUE(last.has_going_away());
  EXPECT_EQ(last.going_away().position().sequence(), 2u);
  EXPECT_EQ(last.going_away().reason(), "MAX_STREAM_AGE");
  const grpc::Status status = stream.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonIn(status), "MAX_STREAM_AGE");
}

TEST(StreamingTest, ADrainSendsEveryStreamAwayAndRefusesNewOnes) {
  StreamingServer server({.stored = Events(3)});
  const auto stub = server.NewStub();
  StreamReader stream(*stub, FromEarliest());
  EXPECT_TRUE(stream.Read().has_started());
  EXPECT_TRUE(stream.Read().has_batch());
  EXPECT_TRUE(stream.Read().has_caught_up());
  server.server().Drain(absl::Milliseconds(1500));
  const SubscribeResponse response = stream.Read();
  ASSERT_TRUE(response.has_going_away());
  EXPECT_EQ(response.going_away().reason(), "DRAINING");
  EXPECT_EQ(response.going_away().position().sequence(), 3u);
  EXPECT_EQ(response.going_away().reconnect_after().seconds(), 1);
  EXPECT_EQ(response.going_away().reconnect_after().nanos(), 500'000'000);
  SubscribeResponse none;
  EXPECT_FALSE(stream.TryRead(&none));
  EXPECT_EQ(ReasonIn(stream.Finish()), "DRAINING");
  StreamReader late(*stub, FromEarliest());
  EXPECT_FALSE(late.TryRead(&none));
  EXPECT_EQ(ReasonIn(late.Finish()), "DRAINING");
}

}  // namespace
}  // namespace refund_relay
