// SqliteEventStore: the writing end of the embedded log; its one writing connection, driven by the LogWriter's thread.
#ifndef REFUND_RELAY_SERVER_LOG_SQLITE_EVENT_STORE_H_
#define REFUND_RELAY_SERVER_LOG_SQLITE_EVENT_STORE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/log/append_command.h"
#include "server/log/commit_part.h"
#include "server/log/event_record.h"
#include "server/log/log_tail.h"
#include "server/log/log_writer.h"
#include "server/log/refund_index.h"
#include "server/log/sqlite_database.h"
#include "server/log/sqlite_trimmer.h"
#include "server/log/trim_command.h"
#include "server/ops/clock.h"

namespace refund_relay {

// The write-ahead log is emptied back to its start by a blocking checkpoint when it has grown this far; without it the
// passive checkpoints would let it grow for ever under constant load.
inline constexpr int64_t kRestartWalBytes = int64_t{40} << 20;
// After a checkpoint that a reader kept from finishing (a backup, for example), the next is tried this much later.
inline constexpr int64_t kRestartRetryBytes = int64_t{4} << 20;

// Not thread-safe: opened on any thread, then used by the writer's only.
class SqliteEventStore final : public CommitStore, public EventAppender, public EventTrimmer {
 public:
  // `tail` (set to the ends found) and `clock` must outlive the store; `committed` is called after each commit that
  // made the write-ahead log grow.
  static absl::StatusOr<std::unique_ptr<SqliteEventStore>> Create(SqliteConnection connection, const Clock& clock,
                                                                  LogTail& tail, std::function<void()> committed);

  // What else is written through the store's connection and transactions. `part` must outlive the writer's use of the
  // store. Before the writer starts.
  void AddPart(CommitPart& part) { parts_.push_back(&part); }
  SqliteConnection& connection() { return db_; }

  absl::StatusOr<AppendOutcome> Append(const NewEvent& event) override;
  absl::Status Trim(const TrimRequest& request, absl::StatusOr<TrimOutcome>* outcome) override {
    return trimmer_->Trim(request, last_sequence_, outcome);
  }

  absl::Status Begin() override;
  absl::Status Commit() override;
  absl::Status Rollback() override;
  void Published() override;
  absl::Status Maintain() override;
  absl::Status Probe() override;

  // Empties the write-ahead log if nobody reads it, so that the next opening is quick. When the writer has ended.
  absl::Status Shrink();

 private:
  SqliteEventStore(SqliteConnection connection, const Clock& clock, LogTail& tail, std::function<void()> committed)
      : db_(std::move(connection)), clock_(clock), tail_(tail), committed_(std::move(committed)) {}

  absl::Status Prepare();
  absl::Status FindEnds();
  absl::Status OpenParts();
  absl::Status RestartWal();

  SqliteConnection db_;
  const Clock& clock_;
  LogTail& tail_;
  const std::function<void()> committed_;
  std::unique_ptr<RefundIndexWriter> refund_index_;
  std::unique_ptr<SqliteTrimmer> trimmer_;
  std::vector<CommitPart*> parts_;

  SqliteStatement begin_;
  SqliteStatement commit_;
  SqliteStatement insert_id_;
  SqliteStatement select_id_;
  SqliteStatement insert_event_;
  SqliteStatement probe_;

  // The end of the log as committed, and what the open transaction adds to it.
  uint64_t last_sequence_ = 0;
  int64_t last_stored_at_micros_ = 0;
  int64_t now_micros_ = 0;
  std::vector<StoredEvent> staged_;

  // What SQLite's hook tells of the write-ahead log at each commit that wrote something.
  struct Wal {
    int64_t bytes = 0;
    bool grew = false;  // since it was last looked at
  };
  Wal wal_;
  int64_t restart_at_bytes_ = kRestartWalBytes;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_SQLITE_EVENT_STORE_H_
