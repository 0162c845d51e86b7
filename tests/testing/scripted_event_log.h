// ScriptedEventLog: an EventLog that stores nothing durably and fails as it is told.
#ifndef REFUND_RELAY_TESTS_TESTING_SCRIPTED_EVENT_LOG_H_
#define REFUND_RELAY_TESTS_TESTING_SCRIPTED_EVENT_LOG_H_

#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/log/event_log.h"

namespace refund_relay::testing {

// Assigns sequences, finds doubles and answers on a thread of its own, as a real log does. Only Append, Find, Health
// and Info do something. Thread-safe.
class ScriptedEventLog final : public EventLog {
 public:
  ScriptedEventLog();
  ~ScriptedEventLog() override;

  // Appends from now on get `status` instead of being stored; OK ends that. Health says the same.
  void FailWith(absl::Status status) ABSL_LOCKS_EXCLUDED(mutex_);
  // Answers are kept back until `Release`.
  void Hold() ABSL_LOCKS_EXCLUDED(mutex_);
  void Release() ABSL_LOCKS_EXCLUDED(mutex_);
  // What Info says about the queue.
  void SetQueue(size_t queued, size_t limit) ABSL_LOCKS_EXCLUDED(mutex_);
  // Blocks until `count` appends wait for their answers; false after `patience`.
  bool AwaitWaiting(size_t count, absl::Duration patience) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the thread that answers; what waits is not answered any more.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);
  // Encoded events, by sequence - 1.
  std::vector<NewEvent> stored() const ABSL_LOCKS_EXCLUDED(mutex_);

  void Append(NewEvent event, AppendDone done) override ABSL_LOCKS_EXCLUDED(mutex_);
  LogPosition StartTail(TailVisitor) override { return {}; }
  absl::StatusOr<LogPosition> PositionAt(uint64_t) override {
    return absl::UnimplementedError("ScriptedEventLog reads nothing");
  }
  absl::StatusOr<absl::Time> StoredAt(uint64_t) override {
    return absl::UnimplementedError("ScriptedEventLog reads nothing");
  }
  absl::StatusOr<FoundEvent> Find(std::string_view event_id) override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<LogPosition> FindByRefund(RefundIdKind, std::string_view, LogPosition, const ReadLimits&,
                                           absl::FunctionRef<void(const StoredEvent&)>) override {
    return absl::UnimplementedError("ScriptedEventLog reads nothing");
  }
  void Trim(TrimRequest, TrimDone done) override { done(absl::UnimplementedError("ScriptedEventLog trims nothing")); }
  absl::Status Close(absl::Time) override { return absl::OkStatus(); }
  absl::StatusOr<LogPosition> Read(LogPosition, const EventFilter&, const ReadLimits&,
                                   absl::FunctionRef<void(const StoredEvent&)>) override {
    return absl::UnimplementedError("ScriptedEventLog reads nothing");
  }
  absl::StatusOr<LogPosition> PositionBefore(absl::Time) override {
    return absl::UnimplementedError("ScriptedEventLog reads nothing");
  }
  absl::Status Health() override ABSL_LOCKS_EXCLUDED(mutex_);
  LogInfo Info() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Answer = std::pair<AppendDone, absl::StatusOr<AppendOutcome>>;

  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  bool CanAnswer() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || (!held_ && !waiting_.empty()); }

  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  LogInfo info_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, uint64_t> sequences_ ABSL_GUARDED_BY(mutex_);
  std::vector<NewEvent> stored_ ABSL_GUARDED_BY(mutex_);
  std::vector<Answer> waiting_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace refund_relay::testing

#endif  // REFUND_RELAY_TESTS_TESTING_SCRIPTED_EVENT_LOG_H_
