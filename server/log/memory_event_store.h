// MemoryEventStore: the events of a log in memory, and the transaction that changes them.
#ifndef REFUND_RELAY_SERVER_LOG_MEMORY_EVENT_STORE_H_
#define REFUND_RELAY_SERVER_LOG_MEMORY_EVENT_STORE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/log/append_command.h"
#include "server/log/commit_part.h"
#include "server/log/event_log.h"
#include "server/log/log_tail.h"
#include "server/log/log_writer.h"
#include "server/log/trim_command.h"
#include "server/ops/clock.h"

namespace refund_relay {

// The writer's thread changes it, any thread reads.
class MemoryEventStore final : public CommitStore, public EventAppender, public EventTrimmer {
 public:
  struct Record {
    uint64_t sequence;
    absl::Time stored_at;
    NewEvent event;

    StoredEvent View() const {
      return StoredEvent{sequence, stored_at, event.event_id, event.event_name, event.client_id, event.event};
    }
    // About what it takes in memory.
    size_t bytes() const {
      return sizeof(*this) + event.event_id.size() + event.event_name.size() + event.client_id.size() +
             event.refund_id.size() + event.payment_gateway_refund_id.size() + event.event.size();
    }
  };
  using RecordPtr = std::shared_ptr<const Record>;
  using Records = std::vector<RecordPtr>;

  // All must outlive the store.
  MemoryEventStore(const Clock& clock, LogTail& tail, std::vector<CommitPart*> parts)
      : clock_(clock), tail_(tail), parts_(std::move(parts)) {}

  absl::StatusOr<AppendOutcome> Append(const NewEvent& event) override;
  absl::Status Trim(const TrimRequest& request, absl::StatusOr<TrimOutcome>* outcome) override;

  absl::Status Begin() override;
  absl::Status Commit() override;
  absl::Status Rollback() override;
  void Published() override;

  // The events after `position`, at most `limit` of them. Errors as of EventLog::Read, about `position`.
  absl::StatusOr<Records> After(LogPosition position, size_t limit) ABSL_LOCKS_EXCLUDED(mu_);
  // About what the events take in memory.
  size_t bytes() ABSL_LOCKS_EXCLUDED(mu_);
  // As EventLog's.
  absl::StatusOr<LogPosition> PositionAt(uint64_t sequence) ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<LogPosition> PositionBefore(absl::Time time) ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<RecordPtr> Find(std::string_view event_id) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // An id whose event is gone.
  struct ExpiredId {
    std::string event_id;
    absl::Time stored_at;
  };

  uint64_t last_sequence() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return trimmed_.sequence + records_.size(); }
  uint64_t HashAt(uint64_t sequence) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Check(uint64_t sequence) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ApplyTrim() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Clock& clock_;
  LogTail& tail_;
  const std::vector<CommitPart*> parts_;

  // Of the writer's thread.
  absl::flat_hash_map<std::string, uint64_t> sequences_;
  Records staged_;
  size_t staged_trim_ = 0;    // events that the open transaction deletes
  size_t staged_forget_ = 0;  // ids that it forgets
  absl::Time now_ = absl::InfinitePast();
  std::deque<ExpiredId> expired_ids_;  // in sequence order

  absl::Mutex mu_;
  std::deque<RecordPtr> records_ ABSL_GUARDED_BY(mu_);
  size_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  LogPosition trimmed_ ABSL_GUARDED_BY(mu_);
  absl::Time trimmed_stored_at_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  absl::flat_hash_map<std::string, uint64_t> committed_sequences_ ABSL_GUARDED_BY(mu_);
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_MEMORY_EVENT_STORE_H_
