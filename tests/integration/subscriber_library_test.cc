// The C++ client library with the real gRPC server: streams that end for real reasons, and a handler that is too slow.
#include <algorithm>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "refund_relay/connection.h"
#include "refund_relay/grpc_event_stream.h"
#include "refund_relay/subscriber.h"
#include "tests/testing/streaming_server.h"
#include "tests/testing/test_events.h"
#include "tests/unit/client/reserved_port.h"

namespace refund_relay {
namespace {

using End = SubscriberResult::End;

// For a machine that is slow and busy; never a time that a test takes.
constexpr absl::Duration kDeadline = absl::Seconds(120);

// Counts what ends streams, for a thread that waits for it.
class StreamEnds final : public SubscriberObserver {
 public:
  void OnCaughtUp(const refundrelay::v1::Position&) override { Count(&caught_up_); }
  void OnReconnect(const RpcError& error, absl::Duration, const std::optional<refundrelay::v1::Position>&) override {
    if (error.reason == "MAX_STREAM_AGE") Count(&aged_);
    if (absl::StrContains(error.message, "SLOW_SUBSCRIBER")) Count(&slow_);
  }

  bool AwaitCaughtUp() { return Await(&caught_up_, 1); }
  bool AwaitAged(int count) { return Await(&aged_, count); }
  int slow() {
    absl::MutexLock lock(&mutex_);
    return slow_;
  }

 private:
  void Count(int* counter) {
    absl::MutexLock lock(&mutex_);
    ++*counter;
  }
  bool Await(const int* counter, int count) {
    absl::MutexLock lock(&mutex_);
    const auto reached = [counter, count] { return *counter >= count; };
    return mutex_.AwaitWithTimeout(absl::Condition(&reached), kDeadline);
  }

  absl::Mutex mutex_;
  int caught_up_ ABSL_GUARDED_BY(mutex_) = 0;
  int aged_ ABSL_GUARDED_BY(mutex_) = 0;
  int slow_ ABSL_GUARDED_BY(mutex_) = 0;
};

class SubscriberLibraryTest : public testing::Test {
 protected:
  SubscriberLibraryTest() {
    options_.request = FromEarliest();
    options_.reconnect.initial = absl::Milliseconds(1);
  }

  // A subscriber of `server` that puts what it gets into `sequences_`.
  std::unique_ptr<Subscriber> Subscribe(StreamingServer& server) {
    SubscriberParts parts;
    const auto connection = MakeConnection(server.address());
    parts.streams = MakeGrpcEventStreamFactory(connection);
    parts.keeper = MakeServerPositionKeeper(connection, options_.request.subscriber_name());
    parts.observer = ends_;
    parts.handler = [this](const refundrelay::v1::Delivery& delivery, const refundrelay::v1::Position&) {
      if (on_event_) on_event_(delivery);
      sequences_.push_back(delivery.sequence());
      return absl::OkStatus();
    };
    return std::make_unique<Subscriber>(options_, std::move(parts));
  }

  static std::vector<uint64_t> UpTo(uint64_t last) {
    std::vector<uint64_t> sequences(last);
    std::iota(sequences.begin(), sequences.end(), 1);
    return sequences;
  }

  SubscriberOptions options_;
  std::shared_ptr<StreamEnds> ends_ = std::make_shared<StreamEnds>();
  std::function<void(const refundrelay::v1::Delivery&)> on_event_;
  std::vector<uint64_t> sequences_;
};

TEST_F(SubscriberLibraryTest, StreamsThatAgeWhileEventsComeLoseAndDoubleNothing) {
  StreamingServer::Options server_options;
  server_options.grpc.max_stream_age = absl::Milliseconds(20);
  StreamingServer server(std::move(server_options));
  uint64_t stored = 0;
  options_.commit.every_events = 7;
  const auto subscriber = Subscribe(server);
  SubscriberResult result{.end = End::kFailed, .error = {}, .position = {}, .committed_position = {}};
  std::thread runner([&] { result = subscriber->Run(); });
  // Events come between and across five ends of streams.
  for (int aged = 1; aged <= 5; ++aged) {
    for (int i = 0; i < 100; ++i) stored = AppendOrFail(server.log(), MakeNewEvent(stored + 1));
    EXPECT_TRUE(ends_->AwaitAged(aged));
  }
  options_.request.set_stop_when_caught_up(true);
  subscriber->Stop();
  runner.join();
  EXPECT_EQ(result.end, End::kStopped) << RpcErrorText(result.error);
  EXPECT_EQ(result.committed_position->sequence(), result.position->sequence());

  // The next run reads what the first one had not got yet, after the committed position.
  const auto rest = Subscribe(server)->Run();
  EXPECT_EQ(rest.end, End::kBoundReached) << RpcErrorText(rest.error);
  EXPECT_EQ(sequences_, UpTo(stored));
}

TEST_F(SubscriberLibraryTest, AHandlerThatIsTooSlowIsCutOffAndMissesNothing) {
  constexpr uint64_t kEvents = 600;
  std::vector<NewEvent> stored;
  for (uint64_t i = 1; i <= kEvents; ++i) {  // 64 KiB each: far more than transport buffers hold
    refundrelay::v1::RefundEvent event = MakeRefundEvent(i);
    event.mutable_user()->set_name(std::string(64 << 10, 'x'));
    stored.push_back(
        {event.event_id(), event.event_name(), "client-a", event.refund().id(), "", event.SerializeAsString()});
  }
  StreamingServer::Options server_options;
  server_options.grpc.write_stall_timeout = absl::Milliseconds(50);
  server_options.stored = std::move(stored);
  StreamingServer server(std::move(server_options));
  const auto cut_off = [&server] {
    const auto families = server.metrics().Collect();
    return std::any_of(families.begin(), families.end(), [](const auto& family) {
      return family.name == "refund_relay_subscriber_streams" && family.metric[0].gauge.value == 0;
    });
  };
  on_event_ = [&](const refundrelay::v1::Delivery& delivery) {
    if (delivery.sequence() != 1) return;
    const absl::Time deadline = absl::Now() + kDeadline;
    while (!cut_off() && absl::Now() < deadline) std::this_thread::yield();
    EXPECT_TRUE(cut_off());
  };
  options_.request.set_stop_when_caught_up(true);
  const auto result = Subscribe(server)->Run();
  EXPECT_EQ(result.end, End::kBoundReached) << RpcErrorText(result.error);
  EXPECT_GT(ends_->slow(), 0);
  EXPECT_EQ(sequences_, UpTo(kEvents));
}

TEST_F(SubscriberLibraryTest, AHandlerThatIsSlowAndSteadyKeepsItsStream) {
  constexpr uint64_t kEvents = 14000;    // of 2 KiB
  constexpr uint64_t kSlowFrom = 10000;  // what is read fast before makes gRPC widen a window that it may widen
  // One batch being handled, one under way, what gRPC takes ahead, and what the server's side holds: 256 KiB each.
  constexpr int64_t kMostAhead = int64_t{4} * (256 / 2);
  StreamingServer::Options server_options;
  server_options.stored = MakeLargeEvents(kEvents, 2 << 10);
  server_options.grpc.write_stall_timeout = absl::Seconds(1);
  StreamingServer server(std::move(server_options));
  int64_t most_ahead = 0;
  on_event_ = [&](const refundrelay::v1::Delivery& delivery) {
    if (delivery.sequence() <= kSlowFrom) return;
    absl::SleepFor(absl::Milliseconds(1));  // how slow it is, not a wait for anything
    const auto streams = server.streams().List();
    if (streams.empty()) return;  // the server has given out everything
    most_ahead = std::max(most_ahead, static_cast<int64_t>(streams.front()->progress().position.sequence) -
                                          static_cast<int64_t>(delivery.sequence()));
  };
  options_.request.set_stop_when_caught_up(true);
  options_.keep_reconnecting = false;
  const auto result = Subscribe(server)->Run();
  EXPECT_EQ(result.end, End::kBoundReached) << RpcErrorText(result.error);
  EXPECT_EQ(sequences_, UpTo(kEvents));
  EXPECT_EQ(server.Metric("refund_relay_slow_subscribers_total"), 0);
  EXPECT_LE(most_ahead, kMostAhead);
}

TEST_F(SubscriberLibraryTest, StopEndsAStreamThatIsIdle) {
  StreamingServer server({});
  const auto subscriber = Subscribe(server);
  std::thread stopper([&] {
    EXPECT_TRUE(ends_->AwaitCaughtUp());
    subscriber->Stop();
  });
  EXPECT_EQ(subscriber->Run().end, End::kStopped);
  stopper.join();
}

TEST_F(SubscriberLibraryTest, StopEndsARunThatNeverFoundItsServer) {
  const ReservedPort port;
  SubscriberParts parts;
  const auto connection = MakeConnection(port.address());
  parts.streams = MakeGrpcEventStreamFactory(connection);
  parts.keeper = MakeServerPositionKeeper(connection, "books", absl::Hours(1));
  parts.handler = [](const auto&, const auto&) { return absl::OkStatus(); };
  Subscriber subscriber(options_, std::move(parts));
  std::thread stopper([&] { subscriber.Stop(); });
  EXPECT_EQ(subscriber.Run().end, End::kStopped);
  stopper.join();
}

}  // namespace
}  // namespace refund_relay
