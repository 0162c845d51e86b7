// MakeBackup: a consistent copy of a log in one file, taken beside a running server.
#ifndef REFUND_RELAY_SERVER_MAINTENANCE_BACKUP_H_
#define REFUND_RELAY_SERVER_MAINTENANCE_BACKUP_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "server/log/event_log.h"
#include "server/maintenance/log_check.h"

namespace refund_relay {

// What a backup is called while it is being written: `to` and this.
inline constexpr char kPartialSuffix[] = ".partial";

// A backup leaves at least this much of the disk free: the log may live there, too.
inline constexpr uint64_t kBackupFreeBytes = uint64_t{64} << 20;

struct BackupReport {
  RestoredFrom taken_of;  // what a log restored from it says it was restored from
  uint64_t bytes = 0;
  LogReport check;
};

// Copies the log in the file `database` to the file `to`, which must not exist: from one snapshot, under a name of its
// own until the copy is checked as CheckLog does, synced, and put in place with its folder synced. The copy has no
// log_id; its first opening makes a new one. Blocks. The server goes on meanwhile; its write-ahead log grows.
//
// Errors; nothing is left behind:
// - ALREADY_EXISTS: `to` or its partial name exist. NOT_FOUND: there is no log, or no folder to write to.
// - RESOURCE_EXHAUSTED: the disk has too little room. DATA_LOSS: the log is damaged, and so would be the copy.
// - FAILED_PRECONDITION, UNAVAILABLE, ABORTED (a sync failed), CANCELLED.
absl::StatusOr<BackupReport> MakeBackup(const std::string& database, const std::string& to, const Cancelled& cancelled);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_MAINTENANCE_BACKUP_H_
