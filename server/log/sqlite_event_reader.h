// SqliteEventReader: the reading end of the embedded log, one connection of it.
#ifndef REFUND_RELAY_SERVER_LOG_SQLITE_EVENT_READER_H_
#define REFUND_RELAY_SERVER_LOG_SQLITE_EVENT_READER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/log/event_log.h"
#include "server/log/event_record.h"
#include "server/log/quarantine.h"
#include "server/log/sqlite_database.h"
#include "server/log/sqlite_quarantine_rows.h"

namespace refund_relay {

// Used by one thread at a time. Every method reads from one snapshot, which ends with it.
class SqliteEventReader {
 public:
  static absl::StatusOr<std::unique_ptr<SqliteEventReader>> Open(const std::string& path, const std::string& vfs);

  // As the methods of EventLog.
  absl::StatusOr<LogPosition> Read(LogPosition after, const EventFilter& filter, const ReadLimits& limits,
                                   absl::FunctionRef<void(const StoredEvent&)> visit);
  absl::StatusOr<LogPosition> PositionAt(uint64_t sequence);
  absl::StatusOr<LogPosition> PositionBefore(absl::Time time);
  absl::StatusOr<absl::Time> StoredAt(uint64_t sequence);
  absl::StatusOr<FoundEvent> Find(std::string_view event_id);
  absl::StatusOr<LogPosition> FindByRefund(RefundIdKind which, std::string_view id, LogPosition after,
                                           const ReadLimits& limits, absl::FunctionRef<void(const StoredEvent&)> visit);
  // As Quarantine::Read.
  absl::StatusOr<std::vector<QuarantinedWebhook>> ReadQuarantine(const QuarantineQuery& query);

 private:
  explicit SqliteEventReader(SqliteConnection connection) : db_(std::move(connection)) {}

  absl::Status Prepare();
  // OK when reading may start after `after`.
  absl::Status CheckStart(LogPosition after, const LogBounds& bounds);
  // The sequences after `after` that the index, or the events that it does not hold yet, give for an id; some may be of
  // other ids. `through` is set to where the look-up ended.
  absl::StatusOr<std::vector<uint64_t>> CandidatesOf(RefundIdKind which, std::string_view id, uint64_t after,
                                                     const LogBounds& bounds, uint64_t* through);
  // The record at `sequence`, whose views live until `scan_` is reset. DATA_LOSS when it is missing or damaged.
  absl::StatusOr<EventRecord> RecordAt(uint64_t sequence);
  // The hash at `sequence`, which lies within `bounds` or just before; 0 where it is unknown.
  absl::StatusOr<uint64_t> HashAt(uint64_t sequence, const LogBounds& bounds);
  // The first intact record at `sequence` or above but not beyond `last`; `found.intact` is false when there is none.
  struct TimeOf {
    bool intact = false;
    uint64_t sequence = 0;
    int64_t stored_at_micros = 0;
  };
  absl::StatusOr<TimeOf> FirstIntact(uint64_t sequence, uint64_t last);

  SqliteConnection db_;
  SqliteStatement begin_;
  SqliteStatement end_;
  SqliteStatement select_bounds_;
  SqliteStatement scan_;
  SqliteStatement select_id_;
  SqliteStatement select_bucket_;
  SqliteStatement scan_refund_ids_;
  SqliteStatement scan_gateway_ids_;
  SqliteQuarantineReader quarantine_;

  friend class Snapshot;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_SQLITE_EVENT_READER_H_
