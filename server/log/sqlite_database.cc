#include "server/log/sqlite_database.h"

#include <sqlite3.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace refund_relay {
namespace {

// How long opening waits for another process that recovers or closes the same database.
constexpr absl::Duration kOpenLockWait = absl::Seconds(5);

absl::string_view View(std::string_view text) { return absl::string_view(text.data(), text.size()); }

// sqlite3_bind_* binds NULL for a null pointer, and an empty std::string_view may have one.
const char* NotNull(std::string_view value) { return value.data() == nullptr ? "" : value.data(); }

bool IsFailedSync(int code) { return code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC; }

}  // namespace

absl::Status SqliteError(sqlite3* db, int code, std::string_view what) {
  const char* path = db == nullptr ? nullptr : sqlite3_db_filename(db, "main");
  std::string message = absl::StrCat(View(what), path == nullptr ? "" : " in ", path == nullptr ? "" : path, ": ",
                                     sqlite3_errstr(code), " (SQLite code ", code);
  if (const int error = db == nullptr ? 0 : sqlite3_system_errno(db); error != 0) {
    absl::StrAppend(&message, ", errno ", error);
  }
  message += ')';
  if (IsFailedSync(code)) return absl::AbortedError(message);
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(message);
    default:
      return absl::UnavailableError(message);
  }
}

void SqliteStatement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

void SqliteStatement::BindInt(int parameter, int64_t value) {
  if (const int code = sqlite3_bind_int64(statement_.get(), parameter, value); code != SQLITE_OK) bind_error_ = code;
}

void SqliteStatement::BindText(int parameter, std::string_view value) {
  const int code =
      sqlite3_bind_text64(statement_.get(), parameter, NotNull(value), value.size(), SQLITE_STATIC, SQLITE_UTF8);
  if (code != SQLITE_OK) bind_error_ = code;
}

void SqliteStatement::BindBlob(int parameter, std::string_view value) {
  const int code = sqlite3_bind_blob64(statement_.get(), parameter, NotNull(value), value.size(), SQLITE_STATIC);
  if (code != SQLITE_OK) bind_error_ = code;
}

absl::StatusOr<bool> SqliteStatement::Step() {
  sqlite3* const db = sqlite3_db_handle(statement_.get());
  const int code = bind_error_ != SQLITE_OK ? bind_error_ : sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return SqliteError(db, code, absl::StrCat("running \"", sqlite3_sql(statement_.get()), "\""));
}

absl::Status SqliteStatement::Run() {
  StatementReset reset(*this);
  absl::StatusOr<bool> row = true;
  while (row.ok() && *row) row = Step();
  return row.status();
}

void SqliteStatement::Reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
  bind_error_ = SQLITE_OK;
}

int64_t SqliteStatement::Int(int column) const { return sqlite3_column_int64(statement_.get(), column); }

std::string_view SqliteStatement::Bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  if (data == nullptr) return {};
  return std::string_view(static_cast<const char*>(data), static_cast<size_t>(size));
}

bool SqliteStatement::IsNull(int column) const { return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL; }

void SqliteConnection::CloseDatabase::operator()(sqlite3* db) const { sqlite3_close_v2(db); }

absl::StatusOr<SqliteConnection> SqliteConnection::Open(const std::string& path, const std::string& vfs) {
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                                   vfs.empty() ? nullptr : vfs.c_str());
  SqliteConnection connection(db);
  if (code != SQLITE_OK) return SqliteError(nullptr, code, absl::StrCat("opening ", path));
  sqlite3_extended_result_codes(db, 1);
  // The last connection to close would checkpoint, which is a sync that nobody could answer for (after a failed sync,
  // the one that must never be tried again).
  sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  sqlite3_wal_autocheckpoint(db, 0);
  // A connection learns that there is a write-ahead log only when it first reads; until then its checkpoints would do
  // nothing and report success.
  connection.SetBusyTimeout(kOpenLockWait);
  if (absl::Status read = connection.Execute("SELECT 1 FROM sqlite_schema LIMIT 1"); !read.ok()) return read;
  connection.SetBusyTimeout(absl::ZeroDuration());
  return connection;
}

absl::StatusOr<SqliteStatement> SqliteConnection::Prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                      &statement, nullptr);
  if (code != SQLITE_OK) return SqliteError(db_.get(), code, absl::StrCat("preparing \"", View(sql), "\""));
  return SqliteStatement(statement);
}

absl::Status SqliteConnection::PrepareAll(
    std::initializer_list<std::pair<SqliteStatement*, std::string_view>> statements) {
  for (const auto& [statement, sql] : statements) {
    absl::StatusOr<SqliteStatement> prepared = Prepare(sql);
    if (!prepared.ok()) return prepared.status();
    *statement = *std::move(prepared);
  }
  return absl::OkStatus();
}

absl::Status SqliteConnection::Execute(const char* sql) {
  const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return SqliteError(db_.get(), code, absl::StrCat("running \"", sql, "\""));
  return absl::OkStatus();
}

void SqliteConnection::SetBusyTimeout(absl::Duration timeout) {
  sqlite3_busy_timeout(db_.get(), static_cast<int>(absl::ToInt64Milliseconds(timeout)));
}

absl::StatusOr<bool> SqliteConnection::Checkpoint(CheckpointMode mode) {
  int flag = SQLITE_CHECKPOINT_PASSIVE;
  if (mode == CheckpointMode::kRestart) flag = SQLITE_CHECKPOINT_RESTART;
  if (mode == CheckpointMode::kTruncate) flag = SQLITE_CHECKPOINT_TRUNCATE;
  int frames = 0;
  int moved = 0;
  const int code = sqlite3_wal_checkpoint_v2(db_.get(), "main", flag, &frames, &moved);
  if ((code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED) return false;
  if (code != SQLITE_OK) return SqliteError(db_.get(), code, "checkpointing the write-ahead log");
  if (frames < 0) return SqliteError(db_.get(), SQLITE_MISUSE, "checkpointing a database without a write-ahead log");
  return moved == frames;
}

bool SqliteConnection::InTransaction() const { return sqlite3_get_autocommit(db_.get()) == 0; }

int64_t SqliteConnection::Changes() const { return sqlite3_changes64(db_.get()); }

}  // namespace refund_relay
