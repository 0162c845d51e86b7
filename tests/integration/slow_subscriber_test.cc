// Subscribers that read slowly, not at all, or go away, over real sockets: what they cost the server and the others.
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/testing/log_lines.h"
#include "tests/testing/streaming_server.h"
#include "tests/testing/test_events.h"

namespace refund_relay {
namespace {

using refundrelay::v1::SubscribeRequest;
using refundrelay::v1::SubscribeResponse;

SubscribeRequest FromLatest(const std::string& name) {
  SubscribeRequest request = FromEarliest();
  request.set_subscriber_name(name);
  request.set_start_from(refundrelay::v1::START_FROM_LATEST);
  return request;
}

// Of the only open stream.
StreamProgress ProgressOfTheStream(StreamingServer& server) {
  const std::vector<StreamRegistry::Record> streams = server.streams().List();
  EXPECT_EQ(streams.size(), 1u);
  return streams.empty() ? StreamProgress() : streams.front()->progress();
}

// Reads one stream of events numbered from 1 by their sequences; a gap or a double fails the test.
class OrderedReader {
 public:
  OrderedReader(StreamingServer& server, const SubscribeRequest& request)
      : stub_(server.NewStub()), stream_(std::make_unique<StreamReader>(*stub_, request)) {
    EXPECT_TRUE(stream_->Read().has_started());
  }

  void ReadOne() {
    const SubscribeResponse response = stream_->Read();
    fell_behind_ |= response.has_fell_behind();
    if (!response.has_batch()) return;
    ASSERT_EQ(response.batch().previous_sequence(), last_);
    for (const auto& delivery : response.batch().deliveries()) ASSERT_EQ(delivery.sequence(), ++last_);
  }
  void ReadTo(uint64_t sequence) {
    while (last_ < sequence && !testing::Test::HasFailure()) ReadOne();
  }

  uint64_t last() const { return last_; }
  bool fell_behind() const { return fell_behind_; }
  StreamReader& stream() { return *stream_; }

 private:
  const std::unique_ptr<refundrelay::v1::RefundEventService::Stub> stub_;
  const std::unique_ptr<StreamReader> stream_;
  uint64_t last_ = 0;
  bool fell_behind_ = false;
};

TEST(SlowSubscriberTest, WhoReadsSlowlyReadsHistoryAndHoldsNoMoreThanTheTransportDoes) {
  constexpr uint64_t kEvents = 1000;  // 64 MB
  // What the server has given out and the peer has not read yet, in events of 64 KiB: one batch under way, what sockets
  // hold, and the client's own 64 KiB. Everything else of the 64 MB must have stayed in the log.
  constexpr uint64_t kMostHeld = 50;
  StreamingServer::Options options;
  options.fan_out.window_bytes = 1 << 20;
  StreamingServer server(std::move(options));
  OrderedReader reader(server, FromLatest("slow"));
  uint64_t most_held = 0;
  for (NewEvent& event : MakeLargeEvents(kEvents)) {
    const uint64_t sequence = AppendOrFail(server.log(), std::move(event));
    if (sequence % 10 == 0) reader.ReadOne();  // at most four events
    most_held = std::max(most_held, ProgressOfTheStream(server).position.sequence - reader.last());
  }
  EXPECT_LT(reader.last(), kEvents / 2) << "the peer was not slow";
  while (reader.last() < kEvents && !testing::Test::HasFailure()) {
    reader.ReadOne();
    most_held = std::max(most_held, ProgressOfTheStream(server).position.sequence - reader.last());
  }
  EXPECT_TRUE(reader.fell_behind());
  EXPECT_LE(most_held, kMostHeld);
  // And it is live again in the end.
  AppendOrFail(server.log(), MakeNewEvent(kEvents + 1));
  reader.ReadTo(kEvents + 1);
  EXPECT_TRUE(ProgressOfTheStream(server).live);
  EXPECT_EQ(ProgressOfTheStream(server).delivered_events, kEvents + 1);
}

TEST(SlowSubscriberTest, WhoNeverReadsIsCutAndFifteenOthersSeeNothingOfIt) {
  constexpr int kOthers = 15;
  constexpr uint64_t kEvents = 200;  // 13 MB for each
  const LogLines lines;
  StreamingServer::Options options;
  options.grpc.write_stall_timeout = absl::Seconds(5);  // the others must never rest so long
  options.fan_out.window_bytes = 1 << 20;
  StreamingServer server(std::move(options));
  OrderedReader slow(server, FromLatest("never-reads"));
  std::vector<std::unique_ptr<OrderedReader>> others;
  for (int i = 0; i < kOthers; ++i) {
    others.push_back(std::make_unique<OrderedReader>(server, FromLatest(absl::StrCat("other-", i))));
  }
  std::vector<std::thread> threads;
  for (auto& other : others) {
    threads.emplace_back([&other] { other->ReadTo(kEvents + 1); });
  }
  for (NewEvent& event : MakeLargeEvents(kEvents)) AppendOrFail(server.log(), std::move(event));
  server.AwaitOpenStreams(kOthers);  // the slow one is cut
  AppendOrFail(server.log(), MakeNewEvent(kEvents + 1));
  for (std::thread& thread : threads) thread.join();
  for (const auto& other : others) EXPECT_EQ(other->last(), kEvents + 1);

  SubscribeResponse response;
  uint64_t received = 0;
  while (slow.stream().TryRead(&response)) received += static_cast<uint64_t>(response.batch().deliveries_size());
  EXPECT_LT(received, kEvents);
  const grpc::Status status = slow.stream().Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(absl::StartsWith(status.error_message(), "SLOW_SUBSCRIBER: ")) << status.error_message();
  EXPECT_TRUE(absl::StrContains(status.error_message(), "sequence")) << status.error_message();
  EXPECT_EQ(server.Metric("refund_relay_slow_subscribers_total"), 1);
  const std::vector<std::string> cut = lines.With("its stream is cut");
  ASSERT_EQ(cut.size(), 1u);
  for (const char* field : {"\"subscriber\":\"never-reads\"",
                            "\"peer\":\"ipv4:127.0.0.1:", "\"sequence\":", "\"reason\":\"SLOW_SUBSCRIBER\""}) {
    EXPECT_TRUE(absl::StrContains(cut.front(), field)) << cut.front();
  }
}

TEST(SlowSubscriberTest, StreamsThatComeAndGoLeaveNothingBehind) {
  StreamingServer::Options options;
  for (uint64_t i = 1; i <= 10; ++i) options.stored.push_back(MakeNewEvent(i));
  StreamingServer server(std::move(options));
  const auto stub = server.NewStub();
  for (int i = 0; i < 500; ++i) {
    SubscribeRequest request = i % 2 == 0 ? FromEarliest() : FromLatest("come-and-go");
    const bool refused = i % 5 == 0;
    if (refused) request.clear_subscriber_name();
    StreamReader stream(*stub, request);
    SubscribeResponse response;
    const bool dropped_at_once = i % 3 == 0;
    EXPECT_EQ(dropped_at_once ? !refused : stream.TryRead(&response), !refused);
    stream.Cancel();
  }
  server.AwaitOpenStreams(0);
}

}  // namespace
}  // namespace refund_relay
