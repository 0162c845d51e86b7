// Handover from history to live: thousands of subscriptions while events arrive, none with a gap or a double. Over both
// logs.
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "server/log/open_storage.h"
#include "tests/testing/streaming_server.h"
#include "tests/testing/test_events.h"

namespace refund_relay {
namespace {

using refundrelay::v1::SubscribeRequest;
using refundrelay::v1::SubscribeResponse;

constexpr const char* kNames[] = {"refunded.pass", "refunded.subscription", "refunded.pay_per_use"};

std::string NameOf(uint64_t sequence) { return kNames[sequence % 3]; }

// Appends as many events as it was asked for, on a thread of its own; an event's number is its sequence. Its pace
// follows the readers', so that on any machine they meet the window's edge.
class Appender {
 public:
  Appender(EventLog& log, uint64_t from) : log_(log), next_(from), thread_([this] { Run(); }) {}
  ~Appender() {
    stopping_ = true;
    thread_.join();
  }

  void Append(int events) { wanted_ += events; }

 private:
  void Run() {
    while (!stopping_) {
      if (wanted_ <= 0) {
        std::this_thread::yield();
        continue;
      }
      AppendOrFail(log_, MakeNewEvent(next_, NameOf(next_)));
      ++next_;
      --wanted_;
    }
  }

  EventLog& log_;
  uint64_t next_;
  std::atomic<int> wanted_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

// Reads one stream from after `start` and checks that it gives exactly the events that the filter admits, in order.
class CheckedStream {
 public:
  CheckedStream(refundrelay::v1::RefundEventService::Stub& stub, const SubscribeRequest& request, std::string name)
      : stream_(stub, request), name_(std::move(name)), next_(request.after().sequence()), previous_(next_) {}

  // One message.
  void Read() {
    const SubscribeResponse response = stream_.Read();
    if (!response.has_batch() || testing::Test::HasFailure()) return;
    (response.batch().live() ? live_ : history_) = true;
    ASSERT_EQ(response.batch().previous_sequence(), previous_);
    for (const auto& delivery : response.batch().deliveries()) {
      do {
        ++next_;
      } while (!name_.empty() && NameOf(next_) != name_);
      ASSERT_EQ(delivery.sequence(), next_);
      ASSERT_EQ(delivery.event().event_id(), MakeNewEvent(next_).event_id);
      previous_ = next_;
    }
    ASSERT_GE(response.batch().position().sequence(), previous_);
    examined_ = response.batch().position().sequence();
  }

  void ReadTo(uint64_t sequence) {
    while (examined_ < sequence && !testing::Test::HasFailure()) Read();
  }
  void ReadUntilLive() {
    while (!live_ && !testing::Test::HasFailure()) Read();
  }
  // The end of a bounded read: nothing more, and OK.
  void ExpectEnd() {
    SubscribeResponse response;
    while (stream_.TryRead(&response)) EXPECT_FALSE(response.has_batch());
    EXPECT_TRUE(stream_.Finish().ok());
  }
  bool crossed() const { return history_ && live_; }

 private:
  StreamReader stream_;
  const std::string name_;  // empty = no filter
  uint64_t next_;
  uint64_t previous_;
  uint64_t examined_ = 0;
  bool history_ = false;
  bool live_ = false;
};

class HandoverTest : public testing::TestWithParam<const char*> {
 protected:
  // A server over the log named by the parameter, with 300 events of which the window will hold none.
  std::unique_ptr<StreamingServer> StartServer(size_t window_bytes) {
    StorageOptions storage;
    storage.log = GetParam();
    storage.data_dir = testing::TempDir() + "handover_test_" + std::to_string(getpid());
    data_dir_ = storage.data_dir;
    absl::StatusOr<Storage> opened = OpenStorage(storage);
    EXPECT_TRUE(opened.ok()) << opened.status();
    StreamingServer::Options options;
    options.storage = *std::move(opened);
    options.fan_out.window_bytes = window_bytes;
    for (uint64_t i = 1; i <= kStored; ++i) options.stored.push_back(MakeNewEvent(i, NameOf(i)));
    return std::make_unique<StreamingServer>(std::move(options));
  }

  ~HandoverTest() override { std::filesystem::remove_all(data_dir_); }

  static constexpr uint64_t kStored = 300;
  std::string data_dir_;
};

TEST_P(HandoverTest, ThousandsOfSubscriptionsWhileEventsArrive) {
  constexpr int kSubscriptionsPerThread = 1000;
  constexpr int kThreads = 3;
  constexpr int kLeastCrossings = 1000;  // more than half of them start before the window
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  // About a hundred events: streams start on either side of the window's edge.
  const std::unique_ptr<StreamingServer> server = StartServer(32 << 10);
  std::atomic<int> crossings = 0;  // streams that gave history first and live events then
  {
    Appender appender(server->log(), kStored + 1);
    std::vector<std::thread> threads;
    for (unsigned thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&server, &appender, &crossings, thread, seed] {
        const auto stub = server->NewStub();
        std::mt19937 random(seed + thread);
        for (int i = 0; i < kSubscriptionsPerThread && !testing::Test::HasFailure(); ++i) {
          SubscribeRequest request = FromEarliest();
          const uint64_t last = server->fan_out().last().sequence;
          // Near the end, so that history meets live at once.
          const uint64_t start = last - random() % 250;
          *request.mutable_after() = server->PositionAt(start);
          const std::string name = i % 2 == 0 ? "" : NameOf(static_cast<uint64_t>(i) + thread);
          if (!name.empty()) request.mutable_filter()->add_event_names(name);
          request.set_max_batch_events(1 + random() % 63);
          CheckedStream stream(*stub, request, name);
          appender.Append(3);  // while it starts: one of each name
          stream.ReadTo(last);
          appender.Append(3);  // and after history
          stream.ReadUntilLive();
          if (stream.crossed()) ++crossings;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_GE(crossings, kLeastCrossings) << "too few streams passed from history to live to prove anything";
}

TEST_P(HandoverTest, ResumingAfterEveryPositionGivesWhatFollowsIt) {
  const std::unique_ptr<StreamingServer> server = StartServer(4 << 10);
  constexpr uint64_t kLast = kStored + 80;
  for (uint64_t i = kStored + 1; i <= kLast; ++i) AppendOrFail(server->log(), MakeNewEvent(i, NameOf(i)));
  const auto stub = server->NewStub();
  for (uint64_t start = 0; start < kLast; ++start) {
    SubscribeRequest request = FromEarliest();
    *request.mutable_after() = server->PositionAt(start);
    request.set_stop_when_caught_up(true);
    CheckedStream stream(*stub, request, "");
    stream.ReadTo(kLast);
    stream.ExpectEnd();
  }
}

INSTANTIATE_TEST_SUITE_P(Logs, HandoverTest, testing::Values("memory", "sqlite"),
                         [](const auto& param_info) { return std::string(param_info.param); });

}  // namespace
}  // namespace refund_relay
