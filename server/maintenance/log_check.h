// CheckLog: reads everything that a log's database holds and tells what is wrong with it. What `verify` does.
#ifndef REFUND_RELAY_SERVER_MAINTENANCE_LOG_CHECK_H_
#define REFUND_RELAY_SERVER_MAINTENANCE_LOG_CHECK_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/log/sqlite_schema.h"

namespace refund_relay {

// Asked now and then during long work; true ends it.
using Cancelled = std::function<bool()>;

// What was found. A value; `Add` keeps the first kMaxListedProblems in words and counts the rest.
struct LogReport {
  static constexpr size_t kMaxListedProblems = 50;

  LogIdentity identity;
  uint64_t first_sequence = 1;  // last_sequence + 1 when there is no event
  uint64_t last_sequence = 0;
  uint64_t events = 0;
  uint64_t ids = 0;
  uint64_t positions = 0;
  uint64_t quarantined = 0;
  uint64_t problems = 0;
  std::vector<std::string> listed_problems;  // without personal data

  bool sound() const { return problems == 0; }
  void Add(std::string problem);
  // A few lines for people.
  std::string Text() const;
};

// Checks the pages, the checksum and place of every event, that the ids and the look-up index say the same as the
// events, and committed positions and quarantined webhooks. Works from one snapshot, on a connection of its own, and
// changes nothing: beside a running server it only keeps the write-ahead log from shrinking while it lasts. Blocks.
//
// Damage is not an error but found in the report. Errors:
// - NOT_FOUND: there is no such file. FAILED_PRECONDITION: it is no log of this version of refund-relay.
// - UNAVAILABLE: it could not be read. CANCELLED.
absl::StatusOr<LogReport> CheckLog(const std::string& path, const Cancelled& cancelled);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_MAINTENANCE_LOG_CHECK_H_
