#include "server/log/log_tail.h"

#include <utility>

namespace refund_relay {

void LogTail::Reset(LogEnds ends) {
  absl::MutexLock lock(&mu_);
  ends_ = ends;
}

LogPosition LogTail::Start(EventLog::TailVisitor visit) {
  absl::MutexLock lock(&mu_);
  visit_ = std::move(visit);
  started_ = true;
  return ends_.last;
}

void LogTail::Publish(absl::Span<const StoredEvent> events) {
  if (events.empty()) return;
  {
    absl::MutexLock lock(&mu_);
    const StoredEvent& last = events.back();
    ends_.last = LogPosition{last.sequence, EventHash(last.event_id)};
    ends_.last_stored_at = last.stored_at;
    if (!ends_.first_stored_at.has_value()) ends_.first_stored_at = events.front().stored_at;
    // Whoever starts after this is told the new end; whoever started before is shown these events.
    if (!started_) return;
  }
  visit_(events);
}

void LogTail::Trim(uint64_t first_sequence, std::optional<absl::Time> first_stored_at) {
  absl::MutexLock lock(&mu_);
  ends_.first_sequence = first_sequence;
  ends_.first_stored_at = first_stored_at;
}

LogEnds LogTail::ends() {
  absl::MutexLock lock(&mu_);
  return ends_;
}

}  // namespace refund_relay
