// EventCheck: the part of CheckLog that walks over the events.
#ifndef REFUND_RELAY_SERVER_MAINTENANCE_EVENT_CHECK_H_
#define REFUND_RELAY_SERVER_MAINTENANCE_EVENT_CHECK_H_

#include <cstdint>
#include <set>
#include <tuple>

#include "absl/status/status.h"
#include "server/log/event_record.h"
#include "server/log/sqlite_database.h"
#include "server/maintenance/log_check.h"

namespace refund_relay {

// Inside the snapshot of `connection`. Used once, by one thread.
class EventCheck {
 public:
  // All must outlive it.
  EventCheck(SqliteConnection& connection, const LogBounds& bounds, const Cancelled& cancelled, LogReport& report)
      : db_(connection), bounds_(bounds), cancelled_(cancelled), report_(report) {}

  // Adds to the report. Errors are of reading, CANCELLED included.
  absl::Status Run();

 private:
  // An entry of the look-up index: bucket, fingerprint, sequence.
  using Entry = std::tuple<uint64_t, uint32_t, uint64_t>;

  absl::Status Prepare();
  // Checks the row under `scan_`; moves `expected_` behind it.
  absl::Status CheckRow();
  absl::Status CheckId(const EventRecord& record);
  // What comes next is not of the block before.
  absl::Status EnterBlockOf(uint64_t sequence);
  absl::Status CheckBlock();
  // Events from `expected_` to before `sequence` are not there.
  void ReportMissing(uint64_t sequence);
  // The index holds no block beside those of stored events.
  absl::Status CheckOtherBlocks();
  absl::Status CheckIds();

  SqliteConnection& db_;
  const LogBounds bounds_;
  const Cancelled& cancelled_;
  LogReport& report_;
  SqliteStatement scan_;
  SqliteStatement select_id_;
  SqliteStatement select_block_;

  uint64_t expected_ = 1;
  int64_t newest_micros_ = 0;
  uint64_t block_ = 0;
  bool block_is_whole_ = true;  // no record of it is damaged or missing
  std::set<Entry> entries_;     // that the block's events ask for
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_MAINTENANCE_EVENT_CHECK_H_
