// SqliteEventLog: the embedded log. A folder on a local disk, one process, every answer synced.
#ifndef REFUND_RELAY_SERVER_LOG_SQLITE_EVENT_LOG_H_
#define REFUND_RELAY_SERVER_LOG_SQLITE_EVENT_LOG_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/log/data_dir.h"
#include "server/log/event_log.h"
#include "server/log/log_limits.h"
#include "server/log/log_metrics.h"
#include "server/log/log_tail.h"
#include "server/log/position_store.h"
#include "server/log/quarantine.h"
#include "server/ops/clock.h"

namespace refund_relay {

class Checkpointer;
class LogWriter;
class PositionTable;
class QuarantineTable;
class SqliteEventStore;
class SqlitePositionRows;
class SqliteQuarantineRows;
class SqliteReaderPool;

// How long opening waits for readers in other processes, whose snapshots keep the write-ahead log from being emptied.
inline constexpr absl::Duration kDefaultOpenReaderWait = absl::Seconds(30);
// Reads that run at once; more of them wait their turn.
inline constexpr size_t kReadConnections = 4;

// Threads: one writes, one checkpoints; reads run on their callers' threads. The tail and the answers to appends come
// on the writer's. Crash semantics: an append that was answered OK, duplicate or not, survives kill -9 and power cuts;
// one that was not answered may or may not be there at the next open.
class SqliteEventLog final : public EventLog {
 public:
  struct Options {
    std::string data_dir;
    const Clock* clock = &Clock::System();  // must outlive the log
    LogLimits limits;
    LogMetrics* metrics = nullptr;  // may be null; must outlive the log
    // Called once, on a thread of the log and after all waiting appends were answered, when the log has failed for good
    // (a sync failed): the process should exit non-zero, and the next start recovers. Must not call Close.
    std::function<void(const absl::Status&)> on_fatal;
    bool allow_network_filesystem = false;
    absl::Duration open_reader_wait = kDefaultOpenReaderWait;
    absl::Duration probe_interval = absl::Seconds(1);  // how often a log that cannot write tries again
    std::string vfs;                                   // of SQLite; empty for its default
    size_t max_quarantined_webhooks = kDefaultMaxQuarantinedWebhooks;
  };

  // Opens the log, making the folder and the log if they are missing.
  // Errors: FAILED_PRECONDITION (another server holds the folder, a newer schema, a network file system, a foreign
  // file), UNAVAILABLE (cannot be opened now, a reader in another process stays), DATA_LOSS (damaged), ABORTED (a sync
  // failed).
  static absl::StatusOr<std::unique_ptr<SqliteEventLog>> Open(Options options);

  // Closes, however long storage takes.
  ~SqliteEventLog() override;

  void Append(NewEvent event, AppendDone done) override;
  LogPosition StartTail(TailVisitor visit) override;
  absl::StatusOr<LogPosition> Read(LogPosition after, const EventFilter& filter, const ReadLimits& limits,
                                   absl::FunctionRef<void(const StoredEvent&)> visit) override;
  absl::StatusOr<LogPosition> PositionAt(uint64_t sequence) override;
  absl::StatusOr<LogPosition> PositionBefore(absl::Time time) override;
  absl::StatusOr<absl::Time> StoredAt(uint64_t sequence) override;
  absl::StatusOr<FoundEvent> Find(std::string_view event_id) override;
  absl::StatusOr<LogPosition> FindByRefund(RefundIdKind which, std::string_view id, LogPosition after,
                                           const ReadLimits& limits,
                                           absl::FunctionRef<void(const StoredEvent&)> visit) override;
  void Trim(TrimRequest request, TrimDone done) override;
  LogInfo Info() override;
  absl::Status Health() override;
  absl::Status Close(absl::Time deadline) override;

  // What shares the log's writer; they live as long as the log.
  PositionStore& positions() { return *positions_; }
  Quarantine& quarantine() { return *quarantine_; }

 private:
  SqliteEventLog(Options options, DataDir dir);

  absl::Status Start();
  // What else the writer's commits hold: committed positions and the quarantine.
  absl::Status OpenParts();

  const Options options_;
  // Destroyed from the bottom up: the threads first, the folder's lock last.
  DataDir dir_;
  std::string log_id_;
  std::optional<RestoredFrom> restored_from_;
  LogTail tail_;
  std::unique_ptr<SqliteEventStore> store_;
  std::unique_ptr<SqlitePositionRows> position_rows_;
  std::unique_ptr<PositionTable> position_table_;
  std::unique_ptr<SqliteQuarantineRows> quarantine_rows_;
  std::unique_ptr<QuarantineTable> quarantine_table_;
  std::unique_ptr<SqliteReaderPool> readers_;
  std::unique_ptr<LogWriter> writer_;
  std::unique_ptr<Checkpointer> checkpointer_;
  std::unique_ptr<PositionStore> positions_;
  std::unique_ptr<Quarantine> quarantine_;
  bool closed_ = false;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_SQLITE_EVENT_LOG_H_
