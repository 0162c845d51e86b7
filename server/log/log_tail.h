// LogTail: the newest end of a log in memory, where one follower is shown each commit.
#ifndef REFUND_RELAY_SERVER_LOG_LOG_TAIL_H_
#define REFUND_RELAY_SERVER_LOG_LOG_TAIL_H_

#include <cstdint>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/log/event_log.h"

namespace refund_relay {

// What is known of a log's ends; the part of LogInfo that moves with each commit.
struct LogEnds {
  uint64_t first_sequence = 1;
  LogPosition last;
  std::optional<absl::Time> first_stored_at;
  std::optional<absl::Time> last_stored_at;
};

// Thread-safe, except that one thread at a time may publish.
class LogTail {
 public:
  // Sets the ends that were found on opening. Before anything else.
  void Reset(LogEnds ends);

  // As EventLog::StartTail. `visit` may be called before this returns.
  LogPosition Start(EventLog::TailVisitor visit);

  // Moves the end past `events`, one commit in order, and shows them to the follower.
  void Publish(absl::Span<const StoredEvent> events);

  // Moves the start behind what was deleted. `first_stored_at` is unset when no event is left.
  void Trim(uint64_t first_sequence, std::optional<absl::Time> first_stored_at);

  LogEnds ends();

 private:
  absl::Mutex mu_;
  LogEnds ends_ ABSL_GUARDED_BY(mu_);
  bool started_ ABSL_GUARDED_BY(mu_) = false;
  // Set once under `mu_` before `started_`; called by the publishing thread only, without the lock.
  EventLog::TailVisitor visit_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_LOG_TAIL_H_
