// What tests do to a log, in words: append and wait, read everything, say what a status is about.
#ifndef REFUND_RELAY_TESTS_TESTING_LOG_PROBE_H_
#define REFUND_RELAY_TESTS_TESTING_LOG_PROBE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/log/event_log.h"

namespace refund_relay {

// Everything that a test waits for comes long before this.
inline constexpr absl::Duration kTestDeadline = absl::Seconds(50);

// Ends the process, saying what was waited for in vain, unless it is there.
void AbortUnless(bool there, const char* what);

// An event whose columns all follow from its id.
NewEvent MakeEvent(const std::string& id, const std::string& name = "refunded.pass", const std::string& client = "c1",
                   size_t bytes = 100);

// The answers to appends. Thread-safe; shared with the callbacks, so it may go before they come.
class Answers {
 public:
  // A callback that keeps its answer in the next slot, and that slot.
  EventLog::AppendDone Next();
  // Waits until every callback handed out was called.
  std::vector<absl::StatusOr<AppendOutcome>> Wait();
  // Callbacks that were called more than once.
  int repeated();

 private:
  struct State {
    absl::Mutex mu;
    std::vector<absl::StatusOr<AppendOutcome>> slots ABSL_GUARDED_BY(mu);
    std::vector<int> calls ABSL_GUARDED_BY(mu);
    size_t answered ABSL_GUARDED_BY(mu) = 0;
    bool Complete() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) { return answered >= slots.size(); }
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

// The one answer to a call that answers by callback. Shared with the callback, so it may go before it is called.
template <typename T>
class Answer {
 public:
  auto Callback() {
    return [state = state_](T value) {
      absl::MutexLock lock(&state->mu);
      state->value = std::move(value);
    };
  }
  // Waits for it. Ends the process when it does not come before kTestDeadline.
  T Wait() {
    absl::MutexLock lock(&state_->mu);
    const auto answered = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_->mu) { return state_->value.has_value(); };
    AbortUnless(state_->mu.AwaitWithTimeout(absl::Condition(&answered), kTestDeadline), "an answer");
    return *state_->value;
  }

 private:
  struct State {
    absl::Mutex mu;
    std::optional<T> value ABSL_GUARDED_BY(mu);
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

// Takes one step of trimming and waits for its outcome.
absl::StatusOr<TrimOutcome> TrimAndWait(EventLog& log, const TrimRequest& request);
// Takes steps until there is nothing more to delete; returns how many events went.
absl::StatusOr<size_t> TrimAll(EventLog& log, const TrimRequest& request);

// Appends and waits for the answer.
absl::StatusOr<AppendOutcome> AppendAndWait(EventLog& log, NewEvent event);

// A copy of a StoredEvent.
struct SeenEvent {
  uint64_t sequence = 0;
  absl::Time stored_at;
  std::string event_id;
  std::string event_name;
  std::string client_id;
  std::string event;

  explicit SeenEvent(const StoredEvent& stored)
      : sequence(stored.sequence),
        stored_at(stored.stored_at),
        event_id(stored.event_id),
        event_name(stored.event_name),
        client_id(stored.client_id),
        event(stored.event) {}
};

// Reads from `after` to the end, page by page.
absl::StatusOr<std::vector<SeenEvent>> ReadAll(EventLog& log, LogPosition after = {}, const EventFilter& filter = {});

// The reason attached to `status`, with its metadata: `CHECKSUM sequence=7`. Empty when there is none.
std::string ReasonText(const absl::Status& status);

// Lets one thread hold another up.
class Gate {
 public:
  void Open();
  // Waits until the gate is open.
  void Pass();
  // Waits until someone waits in Pass (or went through).
  void AwaitArrival();

 private:
  absl::Mutex mu_;
  bool open_ ABSL_GUARDED_BY(mu_) = false;
  bool arrived_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_TESTS_TESTING_LOG_PROBE_H_
