// SqliteTrimmer: deletes what retention has no more use for from the embedded log, a bounded step at a time.
#ifndef REFUND_RELAY_SERVER_LOG_SQLITE_TRIMMER_H_
#define REFUND_RELAY_SERVER_LOG_SQLITE_TRIMMER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/log/commit_part.h"
#include "server/log/event_log.h"
#include "server/log/event_record.h"
#include "server/log/log_tail.h"
#include "server/log/refund_index.h"
#include "server/log/sqlite_database.h"

namespace refund_relay {

// Opened on any thread, then of the writer's.
class SqliteTrimmer final : public CommitPart {
 public:
  // All must outlive the trimmer.
  static absl::StatusOr<std::unique_ptr<SqliteTrimmer>> Open(SqliteConnection& connection, LogTail& tail,
                                                             RefundIndexWriter& index);

  // As EventTrimmer::Trim. Events after `last_sequence` are not looked at.
  absl::Status Trim(const TrimRequest& request, uint64_t last_sequence, absl::StatusOr<TrimOutcome>* outcome);

  void Published() override;
  void RolledBack() override;

 private:
  // A walk over all ids, to forget those whose events were deleted up to `through`.
  struct Walk {
    std::string last_event_id;  // everything up to here was looked at
    uint64_t through = 0;
  };
  struct Start {
    uint64_t first_sequence = 1;
    std::optional<absl::Time> first_stored_at;
  };

  SqliteTrimmer(SqliteConnection& connection, LogTail& tail, RefundIndexWriter& index)
      : db_(connection), tail_(tail), index_(index) {}

  absl::Status TrimInSavepoint(const TrimRequest& request, uint64_t last_sequence, TrimOutcome& outcome);
  absl::Status TrimEvents(const TrimRequest& request, uint64_t last_sequence, TrimOutcome& outcome);
  // Takes up to `limit` events after `bounds.trimmed` into `outcome`, moving the bounds, and deletes them. Stops before
  // the first that was stored at or after `stored_before`; damaged ones go with the next intact one, or at once when
  // `stored_before` is the infinite future.
  absl::Status DeleteEvents(absl::Time stored_before, uint64_t last_sequence, size_t limit, LogBounds& bounds,
                            TrimOutcome& outcome);
  absl::Status WriteBounds(const LogBounds& bounds, absl::Duration mark_interval);
  // Of the pages in use, what does not hold ids.
  absl::StatusOr<uint64_t> UsedBytes(uint64_t last_sequence);
  // The sequence up to which ids were forgotten.
  absl::StatusOr<uint64_t> Forgotten();
  // The sequence up to which ids may be forgotten.
  absl::StatusOr<uint64_t> ForgetThrough(absl::Time forget_before);
  absl::Status ForgetIds(const TrimRequest& request, TrimOutcome& outcome);
  absl::Status EndWalk(const Walk& walk);

  SqliteConnection& db_;
  LogTail& tail_;
  RefundIndexWriter& index_;

  SqliteStatement select_bounds_;
  SqliteStatement scan_;
  SqliteStatement select_first_;
  SqliteStatement delete_events_;
  SqliteStatement update_bounds_;
  SqliteStatement select_mark_;
  SqliteStatement insert_mark_;
  SqliteStatement select_pages_;
  SqliteStatement select_forget_through_;
  SqliteStatement select_forgotten_;
  SqliteStatement scan_ids_;
  SqliteStatement delete_id_;
  SqliteStatement update_forgotten_;
  SqliteStatement delete_marks_;

  std::optional<Start> staged_start_;
  std::optional<Walk> walk_;         // as committed
  std::optional<Walk> staged_walk_;  // as the open transaction leaves it
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_SQLITE_TRIMMER_H_
