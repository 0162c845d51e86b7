// One row of the events table: its columns, its checksum, and what the table says about the ends of the log.
#ifndef REFUND_RELAY_SERVER_LOG_EVENT_RECORD_H_
#define REFUND_RELAY_SERVER_LOG_EVENT_RECORD_H_

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/log/event_log.h"
#include "server/log/sqlite_database.h"

namespace refund_relay {

// The columns of a row, in the order in which every statement here selects and binds them. Views borrow from a NewEvent
// or from a statement's current row.
struct EventRecord {
  uint64_t sequence = 0;
  int64_t stored_at_micros = 0;
  std::string_view event_id;
  std::string_view event_name;
  std::string_view client_id;
  std::string_view refund_id;
  std::string_view payment_gateway_refund_id;
  std::string_view event;

  // XXH3-64 over every column.
  uint64_t Checksum() const;
  StoredEvent View() const;
};

inline constexpr char kEventColumns[] =
    "sequence, stored_at, event_id, event_name, client_id, refund_id, payment_gateway_refund_id, event, checksum";

// The row under `statement`, which selects kEventColumns. `intact` tells whether its checksum holds.
struct ScannedRecord {
  EventRecord record;
  bool intact = false;
};
ScannedRecord ScanRecord(const SqliteStatement& statement);

// Binds `record` and its checksum to the nine parameters of an INSERT of kEventColumns.
void BindRecord(SqliteStatement& statement, const EventRecord& record);

// Where the log begins and ends, as one snapshot shows it. `trimmed` is the last event that retention deleted.
struct LogBounds {
  LogPosition trimmed;
  int64_t trimmed_stored_at_micros = 0;
  uint64_t last_sequence = 0;

  uint64_t first_sequence() const { return trimmed.sequence + 1; }
};

// Selects the bounds; ScanBounds reads its only row.
inline constexpr char kSelectBounds[] =
    "SELECT (SELECT value FROM meta WHERE key = 'trimmed_sequence'),"
    " (SELECT value FROM meta WHERE key = 'trimmed_event_hash'),"
    " (SELECT value FROM meta WHERE key = 'trimmed_stored_at'),"
    " (SELECT max(sequence) FROM events)";
absl::StatusOr<LogBounds> ScanBounds(SqliteStatement& select_bounds);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_EVENT_RECORD_H_
