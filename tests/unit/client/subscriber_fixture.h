// A Subscriber over scripted streams, a fake clock and a scripted keeper.
#ifndef REFUND_RELAY_TESTS_UNIT_CLIENT_SUBSCRIBER_FIXTURE_H_
#define REFUND_RELAY_TESTS_UNIT_CLIENT_SUBSCRIBER_FIXTURE_H_

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "refund_relay/position_text.h"
#include "refund_relay/subscriber.h"
#include "tests/unit/client/scripted_streams.h"

namespace refund_relay {

inline RpcError Lost() { return MakeRpcError(grpc::StatusCode::UNAVAILABLE, "connection reset"); }
inline RpcError Over() { return {}; }

// Answers loads and commits by a script, and then OK.
class ScriptedKeeper final : public PositionKeeper {
 public:
  absl::StatusOr<std::optional<KeptPosition>> Load() override {
    ++loads;
    if (on_load) on_load();
    if (!load_errors.empty()) {
      const absl::Status error = load_errors.front();
      load_errors.pop_front();
      return error;
    }
    return kept;
  }
  absl::Status Commit(const KeptPosition& position) override {
    attempts.push_back(position.position.sequence());
    if (on_commit) on_commit();
    if (!commit_errors.empty()) {
      const absl::Status error = commit_errors.front();
      commit_errors.pop_front();
      if (!error.ok()) return error;
    }
    kept = position;
    commits.push_back(position);
    return absl::OkStatus();
  }
  bool KeptByServer() const override { return by_server; }
  void StopLoading() override { stopped = true; }

  std::optional<KeptPosition> kept;
  bool by_server = false;
  std::deque<absl::Status> load_errors;
  std::deque<absl::Status> commit_errors;
  std::function<void()> on_load;
  std::function<void()> on_commit;
  int loads = 0;
  bool stopped = false;
  std::vector<uint64_t> attempts;
  std::vector<KeptPosition> commits;
};

class SubscriberTest : public testing::Test {
 protected:
  SubscriberTest() {
    options_.request.set_subscriber_name("books");
    options_.request.mutable_filter()->add_event_names("refunded.pass");
    options_.request.set_start_from(refundrelay::v1::START_FROM_EARLIEST);
    options_.request.set_omit_personal_data(true);
    options_.connect_timeout = absl::Seconds(10);
  }

  // A run of its own each time, with what is set in the members.
  SubscriberResult Run(std::vector<StreamScript> scripts) {
    streams_ = std::make_shared<ScriptedStreams>(std::move(scripts));
    streams_->on_silent = [this](absl::Duration waited) { sleeper_->now += waited; };
    SubscriberParts parts;
    parts.streams = streams_;
    parts.handler = [this](const refundrelay::v1::Delivery& delivery, const refundrelay::v1::Position& after) {
      ++handler_calls_;
      if (on_event_) on_event_(delivery);
      if (delivery.sequence() == refuse_sequence_ && refusals_ > 0) {
        --refusals_;
        return absl::UnavailableError("the ledger is down");
      }
      sequences_.push_back(delivery.sequence());
      positions_.push_back(after);
      return absl::OkStatus();
    };
    parts.keeper = keeper_;
    parts.observer = observer_;
    parts.sleeper = sleeper_;
    parts.now = [this] { return sleeper_->now; };
    parts.random = [] { return 1.0; };
    Subscriber subscriber(options_, parts);
    subscriber_ = &subscriber;
    return subscriber.Run();
  }

  // The position that request number `i` asks to start after; empty if it starts otherwise.
  std::string After(size_t i) const {
    return streams_->requests.at(i).has_after() ? FormatPosition(streams_->requests.at(i).after()) : "";
  }

  SubscriberOptions options_;
  std::shared_ptr<ScriptedStreams> streams_;
  std::shared_ptr<ScriptedKeeper> keeper_;  // None unless a test makes one.
  std::shared_ptr<FakeSleeper> sleeper_ = std::make_shared<FakeSleeper>();
  std::shared_ptr<RecordingObserver> observer_ = std::make_shared<RecordingObserver>();
  Subscriber* subscriber_ = nullptr;

  // The handler's.
  std::function<void(const refundrelay::v1::Delivery&)> on_event_;
  uint64_t refuse_sequence_ = 0;
  int refusals_ = 0;
  int handler_calls_ = 0;
  std::vector<uint64_t> sequences_;
  std::vector<refundrelay::v1::Position> positions_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_TESTS_UNIT_CLIENT_SUBSCRIBER_FIXTURE_H_
