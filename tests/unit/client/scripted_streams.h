// Streams that follow a script, and what stands around a Subscriber in its tests.
#ifndef REFUND_RELAY_TESTS_UNIT_CLIENT_SCRIPTED_STREAMS_H_
#define REFUND_RELAY_TESTS_UNIT_CLIENT_SCRIPTED_STREAMS_H_

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "refund_relay/event_stream.h"
#include "refund_relay/sleeper.h"
#include "refund_relay/subscriber_observer.h"

namespace refund_relay {

// What one stream does: gives the messages, then ends with `status`, or stays silent.
struct StreamScript {
  std::vector<refundrelay::v1::SubscribeResponse> responses;
  RpcError status;
  bool silent_at_end = false;
};

class ScriptedStreams final : public EventStreamFactory {
 public:
  explicit ScriptedStreams(std::vector<StreamScript> scripts) : scripts_(scripts.begin(), scripts.end()) {}

  // A subscriber that opens more streams than there are scripts gets one that must not be resumed.
  std::unique_ptr<EventStream> Open(const refundrelay::v1::SubscribeRequest& request) override {
    requests.push_back(request);
    StreamScript script{{}, MakeRpcError(grpc::StatusCode::UNAUTHENTICATED, "the script is over"), false};
    if (!scripts_.empty()) {
      script = scripts_.front();
      scripts_.pop_front();
    }
    return std::make_unique<Stream>(std::move(script), this);
  }

  std::vector<refundrelay::v1::SubscribeRequest> requests;
  std::vector<absl::Duration> read_timeouts;
  std::function<void(absl::Duration)> on_silent;
  int cancelled = 0;

 private:
  class Stream final : public EventStream {
   public:
    Stream(StreamScript script, ScriptedStreams* owner) : script_(std::move(script)), owner_(owner) {}
    ReadOutcome Read(absl::Duration timeout, refundrelay::v1::SubscribeResponse* response) override {
      owner_->read_timeouts.push_back(timeout);
      if (next_ < script_.responses.size()) {
        *response = script_.responses[next_++];
        return ReadOutcome::kMessage;
      }
      if (!script_.silent_at_end) return ReadOutcome::kEnd;
      if (owner_->on_silent) owner_->on_silent(timeout);
      return ReadOutcome::kSilent;
    }
    RpcError Finish() override { return script_.status; }
    void Cancel() override { ++owner_->cancelled; }

   private:
    const StreamScript script_;
    ScriptedStreams* const owner_;
    size_t next_ = 0;
  };

  std::deque<StreamScript> scripts_;
};

// Does not sleep; remembers for how long it was asked to, and lets the time pass.
class FakeSleeper final : public Sleeper {
 public:
  void Sleep(absl::Duration duration) override {
    sleeps.push_back(duration);
    now += duration;
    if (on_sleep) on_sleep();
  }
  void Wake() override { woken = true; }

  std::vector<absl::Duration> sleeps;
  absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  std::function<void()> on_sleep;
  bool woken = false;
};

// Remembers what was told.
class RecordingObserver final : public SubscriberObserver {
 public:
  void OnStarted(const refundrelay::v1::Started&, bool is_resumed) override { resumed.push_back(is_resumed); }
  void OnCaughtUp(const refundrelay::v1::Position&) override { ++caught_up; }
  void OnFellBehind(const refundrelay::v1::Position&) override { ++fell_behind; }
  void OnHeartbeat(const refundrelay::v1::Heartbeat&, uint64_t lag_events) override { lags.push_back(lag_events); }
  void OnGoingAway(const refundrelay::v1::GoingAway&) override { ++going_away; }
  void OnReconnect(const RpcError& error, absl::Duration, const std::optional<refundrelay::v1::Position>&) override {
    reconnects.push_back(error);
  }
  void OnHandlerError(const refundrelay::v1::Delivery& delivery, const absl::Status&, uint32_t attempt,
                      absl::Duration wait) override {
    handler_errors.emplace_back(delivery.sequence(), attempt, wait);
  }
  void OnCommitted(const refundrelay::v1::Position& position) override { committed.push_back(position.sequence()); }
  void OnCommitFailed(const RpcError& error, absl::Duration) override { commit_failures.push_back(error); }

  std::vector<bool> resumed;
  std::vector<RpcError> reconnects;
  std::vector<uint64_t> lags;
  std::vector<std::tuple<uint64_t, uint32_t, absl::Duration>> handler_errors;
  std::vector<uint64_t> committed;
  std::vector<RpcError> commit_failures;
  int caught_up = 0;
  int fell_behind = 0;
  int going_away = 0;
};

// Messages of a server, short to write.
inline refundrelay::v1::Position At(uint64_t sequence, const std::string& log_id = "log1") {
  refundrelay::v1::Position position;
  position.set_log_id(log_id);
  position.set_sequence(sequence);
  position.set_event_hash(sequence * 1000);
  return position;
}

inline refundrelay::v1::SubscribeResponse Started(uint64_t after, absl::Duration heartbeat = absl::Seconds(2)) {
  refundrelay::v1::SubscribeResponse response;
  auto* started = response.mutable_started();
  *started->mutable_position() = At(after);
  started->set_log_id("log1");
  started->mutable_heartbeat_interval()->set_seconds(absl::ToInt64Seconds(heartbeat));
  return response;
}

inline refundrelay::v1::SubscribeResponse Batch(uint64_t previous, const std::vector<uint64_t>& sequences,
                                                uint64_t position) {
  refundrelay::v1::SubscribeResponse response;
  auto* batch = response.mutable_batch();
  batch->set_previous_sequence(previous);
  for (const uint64_t sequence : sequences) {
    auto* delivery = batch->add_deliveries();
    delivery->set_sequence(sequence);
    delivery->mutable_event()->set_event_id("event-" + std::to_string(sequence));
  }
  *batch->mutable_position() = At(position);
  return response;
}

inline refundrelay::v1::SubscribeResponse HeartbeatAt(uint64_t position, uint64_t last_sequence = 0) {
  refundrelay::v1::SubscribeResponse response;
  *response.mutable_heartbeat()->mutable_position() = At(position);
  response.mutable_heartbeat()->set_last_sequence(last_sequence);
  return response;
}

inline refundrelay::v1::SubscribeResponse CaughtUpAt(uint64_t position) {
  refundrelay::v1::SubscribeResponse response;
  *response.mutable_caught_up()->mutable_position() = At(position);
  return response;
}

inline refundrelay::v1::SubscribeResponse FellBehindAt(uint64_t position) {
  refundrelay::v1::SubscribeResponse response;
  *response.mutable_fell_behind()->mutable_position() = At(position);
  return response;
}

inline refundrelay::v1::SubscribeResponse GoingAwayAt(uint64_t position, int64_t reconnect_after_seconds) {
  refundrelay::v1::SubscribeResponse response;
  *response.mutable_going_away()->mutable_position() = At(position);
  response.mutable_going_away()->mutable_reconnect_after()->set_seconds(reconnect_after_seconds);
  response.mutable_going_away()->set_reason("DRAINING");
  return response;
}

}  // namespace refund_relay

#endif  // REFUND_RELAY_TESTS_UNIT_CLIENT_SCRIPTED_STREAMS_H_
