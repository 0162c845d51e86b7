#include "server/log/sqlite_schema.h"

#include <cstdint>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/log/log_id.h"

namespace refund_relay {
namespace {

// event_ids outlives events: a webhook that comes again after retention is still a duplicate. Ids grow with time, so
// WITHOUT ROWID keeps one b-tree that is written at its right edge. The trimmed_* rows name the last event that
// retention deleted; sequences go on after it even when no event is left.
constexpr char kVersion1[] = R"sql(
  CREATE TABLE events (
    sequence INTEGER PRIMARY KEY,
    stored_at INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    event_name TEXT NOT NULL,
    client_id TEXT NOT NULL,
    refund_id TEXT NOT NULL,
    payment_gateway_refund_id TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    event BLOB NOT NULL
  );
  CREATE TABLE event_ids (event_id TEXT PRIMARY KEY, sequence INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
  INSERT INTO meta (key, value) VALUES
    ('trimmed_sequence', 0), ('trimmed_event_hash', 0), ('trimmed_stored_at', 0);
)sql";

// AUTOINCREMENT: an ordinal is never used again, so pages of a listing stay in order while webhooks come and go.
constexpr char kVersion2[] = R"sql(
  CREATE TABLE positions (
    subscriber_name TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,
    event_hash INTEGER NOT NULL,
    version INTEGER NOT NULL,
    filter BLOB NOT NULL,
    committed_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE quarantine (
    ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
    quarantine_id TEXT NOT NULL UNIQUE,
    body_hash BLOB NOT NULL UNIQUE,
    reason INTEGER NOT NULL,
    detail TEXT NOT NULL,
    event_id TEXT NOT NULL,
    traceparent TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    times_received INTEGER NOT NULL,
    body BLOB NOT NULL
  );
)sql";

// What each version adds to the one before; a new database goes through all of them.
constexpr const char* kVersions[] = {kVersion1, kVersion2};
static_assert(std::size(kVersions) == kSchemaVersion);

absl::Status TruncateWriteAheadLog(SqliteConnection& writer, const std::string& path, absl::Duration reader_wait) {
  writer.SetBusyTimeout(reader_wait);
  const absl::StatusOr<bool> done = writer.Checkpoint(CheckpointMode::kTruncate);
  if (!done.ok()) return done.status();
  if (!*done) {
    return absl::UnavailableError(absl::StrCat(
        "another process has been reading or writing ", path, " for ", absl::FormatDuration(reader_wait),
        ", so what it holds cannot be made durable before the start; end that process (a backup, verify, or "
        "an sqlite3 shell: `fuser ",
        path, "` names it) and start again"));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> HasTables(SqliteConnection& writer, const std::string& path) {
  auto select =
      writer.Prepare("SELECT count(*), coalesce(sum(name = 'meta'), 0) FROM sqlite_schema WHERE type = 'table'");
  if (!select.ok()) return select.status();
  if (const auto row = select->Step(); !row.ok()) return row.status();
  if (select->Int(0) > 0 && select->Int(1) == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is a database of something other than refund-relay; choose another --data_dir"));
  }
  return select->Int(0) > 0;
}

// The version of the tables; an error where this build must not touch them.
absl::StatusOr<int> ReadVersion(SqliteConnection& writer, const std::string& path) {
  auto select = writer.Prepare("SELECT value FROM meta WHERE key = 'schema_version'");
  if (!select.ok()) return select.status();
  const auto row = select->Step();
  if (!row.ok()) return row.status();
  const int64_t version = *row ? select->Int(0) : 0;
  if (version > kSchemaVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " was written by a newer refund-relay (schema version ", version, ", this one knows up to ",
                     kSchemaVersion, "); start the newer version again, or restore a backup made before the upgrade"));
  }
  if (version < 1) {
    return absl::DataLossError(absl::StrCat(path, " names no schema version; restore a backup"));
  }
  return static_cast<int>(version);
}

// Brings the tables from `version` (0 = there are none) to this build's, in one transaction.
absl::Status Migrate(SqliteConnection& writer, int version) {
  if (absl::Status begun = writer.Execute("BEGIN IMMEDIATE"); !begun.ok()) return begun;
  for (int next = version; next < kSchemaVersion; ++next) {
    if (absl::Status made = writer.Execute(kVersions[next]); !made.ok()) return made;
  }
  auto set = writer.Prepare("INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2");
  if (!set.ok()) return set.status();
  set->BindText(1, "schema_version");
  set->BindInt(2, kSchemaVersion);
  if (absl::Status written = set->Run(); !written.ok()) return written;
  if (version == 0) {
    const std::string log_id = NewLogId();
    set->BindText(1, "log_id");
    set->BindText(2, log_id);
    if (absl::Status written = set->Run(); !written.ok()) return written;
  }
  return writer.Execute("COMMIT");
}

absl::StatusOr<std::string> ReadLogId(SqliteConnection& writer, const std::string& path) {
  auto select = writer.Prepare("SELECT value FROM meta WHERE key = 'log_id'");
  if (!select.ok()) return select.status();
  const auto row = select->Step();
  if (!row.ok()) return row.status();
  if (!*row) return absl::DataLossError(absl::StrCat(path, " names no log_id; restore a backup"));
  return std::string(select->Bytes(0));
}

}  // namespace

absl::StatusOr<OpenedDatabase> OpenDatabase(const DataDir& dir, const std::string& vfs, absl::Duration reader_wait) {
  absl::StatusOr<std::string> path = dir.CreateFile(kDatabaseFile);
  if (!path.ok()) return path.status();
  absl::StatusOr<SqliteConnection> writer = SqliteConnection::Open(*path, vfs);
  if (!writer.ok()) return writer.status();
  writer->SetBusyTimeout(reader_wait);

  // Before anything is written: a file that a newer version (or another program) owns stays as it is.
  absl::StatusOr<bool> has_tables = HasTables(*writer, *path);
  if (!has_tables.ok()) return has_tables.status();
  absl::StatusOr<int> version = 0;
  if (*has_tables) version = ReadVersion(*writer, *path);
  if (!version.ok()) return version.status();
  for (const char* pragma : {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA cache_size = -32768",
                             "PRAGMA temp_store = MEMORY", "PRAGMA journal_size_limit = 67108864"}) {
    if (absl::Status set = writer->Execute(pragma); !set.ok()) return set;
  }
  if (*version < kSchemaVersion) {
    if (absl::Status migrated = Migrate(*writer, *version); !migrated.ok()) return migrated;
  }
  if (absl::Status truncated = TruncateWriteAheadLog(*writer, *path, reader_wait); !truncated.ok()) return truncated;
  if (absl::Status synced = SyncDirectory(dir.path()); !synced.ok()) return synced;

  absl::StatusOr<std::string> log_id = ReadLogId(*writer, *path);
  if (!log_id.ok()) return log_id.status();
  return OpenedDatabase{*std::move(path), *std::move(writer), *std::move(log_id)};
}

}  // namespace refund_relay
