// Handover from history to live: thousands of subscriptions while events arrive, none with a gap or a double.
#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/random/random.h"
#include "gtest/gtest.h"
#include "tests/testing/streaming_server.h"
#include "tests/testing/test_events.h"

namespace refund_relay {
namespace {

using refundrelay::v1::SubscribeRequest;
using refundrelay::v1::SubscribeResponse;

constexpr const char* kNames[] = {"refunded.pass", "refunded.subscription", "refunded.pay_per_use"};

std::string NameOf(uint64_t sequence) { return kNames[sequence % 3]; }

// Appends without pause until told to stop; an event's number is its sequence.
class Appender {
 public:
  Appender(EventLog& log, uint64_t from) : log_(log), next_(from), thread_([this] { Run(); }) {}
  ~Appender() {
    stopping_ = true;
    thread_.join();
  }

 private:
  void Run() {
    for (; !stopping_; ++next_) AppendAndWait(log_, MakeNewEvent(next_, NameOf(next_)));
  }

  EventLog& log_;
  uint64_t next_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

// Reads `wanted` events after `start` and checks that they are exactly those that the filter admits, in order.
void ReadAndCheck(StreamReader& stream, uint64_t start, const std::string& name, int wanted) {
  uint64_t next = start;
  uint64_t previous = start;
  while (wanted > 0) {
    const SubscribeResponse response = stream.Read();
    if (testing::Test::HasFailure()) return;
    if (!response.has_batch()) continue;
    ASSERT_EQ(response.batch().previous_sequence(), previous);
    for (const auto& delivery : response.batch().deliveries()) {
      do {
        ++next;
      } while (!name.empty() && NameOf(next) != name);
      ASSERT_EQ(delivery.sequence(), next);
      ASSERT_EQ(delivery.event().event_id(), MakeNewEvent(next).event_id);
      previous = next;
      --wanted;
    }
    ASSERT_GE(response.batch().position().sequence(), previous);
  }
}

TEST(HandoverTest, ThousandsOfSubscriptionsWhileEventsArrive) {
  constexpr uint64_t kStored = 300;
  constexpr int kSubscriptionsPerThread = 1000;
  constexpr int kThreads = 3;
  StreamingServer::Options options;
  options.fan_out.window_bytes = 32 << 10;  // about a hundred events: streams start on either side of its edge
  for (uint64_t i = 1; i <= kStored; ++i) options.stored.push_back(MakeNewEvent(i, NameOf(i)));
  StreamingServer server(std::move(options));
  Appender appender(server.log(), kStored + 1);

  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&server, thread] {
      const auto stub = server.NewStub();
      absl::BitGen random;
      for (int i = 0; i < kSubscriptionsPerThread && !testing::Test::HasFailure(); ++i) {
        SubscribeRequest request = FromEarliest();
        const uint64_t last = server.fan_out().last().sequence;
        // Near the end, so that history meets live at once.
        const uint64_t start = last - absl::Uniform<uint64_t>(random, 0, 250);
        *request.mutable_after() = server.PositionAt(start);
        const std::string name = i % 2 == 0 ? "" : NameOf(static_cast<uint64_t>(i + thread));
        if (!name.empty()) request.mutable_filter()->add_event_names(name);
        request.set_max_batch_events(absl::Uniform<uint32_t>(random, 1, 64));
        StreamReader stream(*stub, request);
        ReadAndCheck(stream, start, name, static_cast<int>(last - start) / (name.empty() ? 1 : 3) + 3);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(HandoverTest, ResumingAfterEveryPositionGivesWhatFollowsIt) {
  StreamingServer::Options options;
  options.fan_out.window_bytes = 4 << 10;
  for (uint64_t i = 1; i <= 120; ++i) options.stored.push_back(MakeNewEvent(i, NameOf(i)));
  StreamingServer server(std::move(options));
  for (uint64_t i = 121; i <= 200; ++i) AppendAndWait(server.log(), MakeNewEvent(i, NameOf(i)));
  const auto stub = server.NewStub();
  for (uint64_t start = 0; start < 200; ++start) {
    SubscribeRequest request = FromEarliest();
    *request.mutable_after() = server.PositionAt(start);
    request.set_stop_when_caught_up(true);
    StreamReader stream(*stub, request);
    ReadAndCheck(stream, start, "", static_cast<int>(200 - start));
    SubscribeResponse response;
    int more = 0;
    while (stream.TryRead(&response)) more += response.batch().deliveries_size();
    EXPECT_EQ(more, 0);
    EXPECT_TRUE(stream.Finish().ok());
  }
}

}  // namespace
}  // namespace refund_relay
