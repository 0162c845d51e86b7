#include "server/log/sqlite_schema.h"

#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/log/event_record.h"
#include "server/log/log_id.h"
#include "server/log/refund_index.h"
#include "server/ops/logging.h"

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
// refund_index: see refund_index.h. trim_marks: every event up to `sequence` was stored at or before `stored_at`; what
// tells the age of ids whose events are gone.
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
  CREATE TABLE refund_index (
    block INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    entries BLOB NOT NULL,
    PRIMARY KEY (block, bucket)
  ) WITHOUT ROWID;
  CREATE TABLE trim_marks (sequence INTEGER PRIMARY KEY, stored_at INTEGER NOT NULL);
  INSERT INTO meta (key, value) VALUES ('forgotten_sequence', 0);
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

constexpr char kSetMeta[] = "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2";

absl::Status SetLogId(SqliteConnection& writer, const std::string& log_id) {
  auto set = writer.Prepare(kSetMeta);
  if (!set.ok()) return set.status();
  set->BindText(1, "log_id");
  set->BindText(2, log_id);
  return set->Run();
}

// Brings the tables from `version` (0 = there are none) to this build's, in one transaction.
absl::Status Migrate(SqliteConnection& writer, int version) {
  if (absl::Status begun = writer.Execute("BEGIN IMMEDIATE"); !begun.ok()) return begun;
  for (int next = version; next < kSchemaVersion; ++next) {
    if (absl::Status made = writer.Execute(kVersions[next]); !made.ok()) return made;
  }
  if (version == 1) {
    if (absl::Status indexed = RefundIndexWriter::IndexAll(writer); !indexed.ok()) return indexed;
  }
  auto set = writer.Prepare(kSetMeta);
  if (!set.ok()) return set.status();
  set->BindText(1, "schema_version");
  set->BindInt(2, kSchemaVersion);
  if (absl::Status written = set->Run(); !written.ok()) return written;
  if (version == 0) {
    if (absl::Status named = SetLogId(writer, NewLogId()); !named.ok()) return named;
  }
  return writer.Execute("COMMIT");
}

// The value of `key` as text; unset when there is none.
absl::StatusOr<std::optional<std::string>> ReadMeta(SqliteConnection& connection, std::string_view key) {
  auto select = connection.Prepare("SELECT value FROM meta WHERE key = ?1");
  if (!select.ok()) return select.status();
  StatementReset reset(*select);
  select->BindText(1, key);
  const auto row = select->Step();
  if (!row.ok()) return row.status();
  if (!*row) return std::nullopt;
  return std::string(select->Bytes(0));
}

}  // namespace

absl::StatusOr<LogIdentity> ReadIdentity(SqliteConnection& connection) {
  absl::StatusOr<std::optional<std::string>> log_id = ReadMeta(connection, "log_id");
  if (!log_id.ok()) return log_id.status();
  absl::StatusOr<std::optional<std::string>> restored_from = ReadMeta(connection, "restored_from_log_id");
  if (!restored_from.ok()) return restored_from.status();
  absl::StatusOr<std::optional<std::string>> sequence = ReadMeta(connection, "restored_from_last_sequence");
  if (!sequence.ok()) return sequence.status();
  LogIdentity identity;
  identity.log_id = std::move(*log_id).value_or("");
  if (restored_from->has_value()) {
    RestoredFrom from{**std::move(restored_from), 0};
    if (!sequence->has_value() || !absl::SimpleAtoi(**sequence, &from.last_sequence)) {
      return absl::DataLossError("what this log was restored from is damaged; restore another backup");
    }
    identity.restored_from = std::move(from);
  }
  if (identity.log_id.empty() && !identity.restored_from.has_value()) {
    return absl::DataLossError("the database names no log_id; restore a backup");
  }
  return identity;
}

absl::StatusOr<RestoredFrom> TurnIntoBackup(SqliteConnection& connection) {
  absl::StatusOr<LogIdentity> identity = ReadIdentity(connection);
  if (!identity.ok()) return identity.status();
  if (identity->log_id.empty()) return *identity->restored_from;  // a backup that was never opened
  auto select_bounds = connection.Prepare(kSelectBounds);
  if (!select_bounds.ok()) return select_bounds.status();
  const absl::StatusOr<LogBounds> bounds = ScanBounds(*select_bounds);
  if (!bounds.ok()) return bounds.status();
  auto set = connection.Prepare(kSetMeta);
  if (!set.ok()) return set.status();
  if (absl::Status begun = connection.Execute("BEGIN IMMEDIATE"); !begun.ok()) return begun;
  set->BindText(1, "restored_from_log_id");
  set->BindText(2, identity->log_id);
  if (absl::Status written = set->Run(); !written.ok()) return written;
  set->BindText(1, "restored_from_last_sequence");
  set->BindInt(2, static_cast<int64_t>(bounds->last_sequence));
  if (absl::Status written = set->Run(); !written.ok()) return written;
  if (absl::Status erased = connection.Execute("DELETE FROM meta WHERE key = 'log_id'"); !erased.ok()) return erased;
  if (absl::Status committed = connection.Execute("COMMIT"); !committed.ok()) return committed;
  return RestoredFrom{identity->log_id, bounds->last_sequence};
}

absl::Status CheckWriteAheadLogIsItsOwn(const std::string& path) {
  const std::string wal = path + "-wal";
  std::error_code error;
  const auto wal_bytes = std::filesystem::file_size(wal, error);
  if (error || wal_bytes == 0) return absl::OkStatus();
  // Bytes 18 and 19 of a database: 1 until it is first opened with a write-ahead log, 2 from then on. See "The Database
  // Header" in SQLite's description of its file format.
  std::array<char, 20> header{};
  std::ifstream file(path, std::ios::binary);
  file.read(header.data(), header.size());
  if (file.gcount() < static_cast<std::streamsize>(header.size()) || header[18] != 1) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(path, " is a backup, but ", wal,
                                                    " was left there by another log, and SQLite would mix the two; "
                                                    "delete that file and put the backup in once more"));
}

absl::StatusOr<OpenedDatabase> OpenDatabase(const DataDir& dir, const std::string& vfs, absl::Duration reader_wait) {
  absl::StatusOr<std::string> path = dir.CreateFile(kDatabaseFile);
  if (!path.ok()) return path.status();
  if (absl::Status own = CheckWriteAheadLogIsItsOwn(*path); !own.ok()) return own;
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
  absl::StatusOr<LogIdentity> identity = ReadIdentity(*writer);
  if (!identity.ok()) return identity.status();
  if (identity->log_id.empty()) {  // a backup, opened for the first time
    identity->log_id = NewLogId();
    if (absl::Status named = SetLogId(*writer, identity->log_id); !named.ok()) return named;
    Log(LogLevel::kWarning, "the log was restored from a backup; it has a new log_id from now on",
        {{"log_id", identity->log_id},
         {"restored_from_log_id", identity->restored_from->log_id},
         {"restored_from_last_sequence", identity->restored_from->last_sequence}});
  }
  if (absl::Status truncated = TruncateWriteAheadLog(*writer, *path, reader_wait); !truncated.ok()) return truncated;
  if (absl::Status synced = SyncDirectory(dir.path()); !synced.ok()) return synced;
  return OpenedDatabase{*std::move(path), *std::move(writer), *std::move(identity)};
}

}  // namespace refund_relay
