// Opens the log's database safely: the write-ahead log emptied and synced, the schema made or checked.
#ifndef REFUND_RELAY_SERVER_LOG_SQLITE_SCHEMA_H_
#define REFUND_RELAY_SERVER_LOG_SQLITE_SCHEMA_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/log/data_dir.h"
#include "server/log/event_log.h"
#include "server/log/sqlite_database.h"

namespace refund_relay {

// The version of the tables that this build writes. An older one is migrated on opening, a newer one is refused.
inline constexpr int kSchemaVersion = 2;

inline constexpr char kDatabaseFile[] = "events.db";

// Which history a database holds.
struct LogIdentity {
  std::string log_id;  // empty in a backup that was not opened yet
  std::optional<RestoredFrom> restored_from;
};

// DATA_LOSS when it names neither.
absl::StatusOr<LogIdentity> ReadIdentity(SqliteConnection& connection);

// Takes the log_id away from a copy of a log, so that its first opening makes a new one, and notes what the copy was
// taken of. Returns that.
absl::StatusOr<RestoredFrom> TurnIntoBackup(SqliteConnection& connection);

struct OpenedDatabase {
  std::string path;
  SqliteConnection writer;
  LogIdentity identity;
};

// Opens (or makes) the database in `dir` with what is to be its only writing connection. Must run before any other
// connection of this process. When it returns, everything that any connection can see is synced, the directory's
// entries too: a frame that a killed process had written but not synced would else be answered as a duplicate, and a
// power cut could still take it.
//
// Waits up to `reader_wait` for readers in other processes (a backup, for example).
// Errors: UNAVAILABLE naming the cause when one stays, FAILED_PRECONDITION for a newer schema or a file that is not
// refund-relay's, ABORTED when a sync failed.
absl::StatusOr<OpenedDatabase> OpenDatabase(const DataDir& dir, const std::string& vfs, absl::Duration reader_wait);

// FAILED_PRECONDITION when the database at `path` was never opened as a log (it is a backup), and a write-ahead log
// that is not empty lies beside it: SQLite would take the pages of that other log for its own. To be asked before
// SQLite opens the file.
absl::Status CheckWriteAheadLogIsItsOwn(const std::string& path);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_SQLITE_SCHEMA_H_
