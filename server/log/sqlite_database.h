// SQLite behind RAII and absl::Status: connections, prepared statements, and what their errors mean to a log.
#ifndef REFUND_RELAY_SERVER_LOG_SQLITE_DATABASE_H_
#define REFUND_RELAY_SERVER_LOG_SQLITE_DATABASE_H_

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

struct sqlite3;
struct sqlite3_stmt;

namespace refund_relay {

// The status for SQLite's (extended) result code `code`:
// - ABORTED: a sync failed; what reached the disk is unknown and must not be asked again.
// - DATA_LOSS: the file is damaged or is no database.
// - UNAVAILABLE: everything else (disk full, locked, I/O errors); may succeed later.
// `what` tells what was tried, `db` may be null.
absl::Status SqliteError(sqlite3* db, int code, std::string_view what);

// A prepared statement. Not thread-safe; must not outlive its connection. What is bound must stay alive until `Reset`.
class SqliteStatement {
 public:
  SqliteStatement() = default;
  explicit SqliteStatement(sqlite3_stmt* statement) : statement_(statement) {}

  // Parameters count from 1. A failed bind shows at the next Step.
  void BindInt(int parameter, int64_t value);
  void BindText(int parameter, std::string_view value);
  void BindBlob(int parameter, std::string_view value);

  // True when there is a row, false at the end.
  absl::StatusOr<bool> Step();
  // Runs to the end and resets, also after an error.
  absl::Status Run();
  void Reset();

  // Columns count from 0. A view is valid until the next Step or Reset.
  int64_t Int(int column) const;
  std::string_view Bytes(int column) const;
  bool IsNull(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bind_error_ = 0;
};

// Resets a statement at the end of a scope, so that it holds no snapshot and no borrowed bytes.
class StatementReset {
 public:
  explicit StatementReset(SqliteStatement& statement) : statement_(statement) {}
  ~StatementReset() { statement_.Reset(); }
  StatementReset(const StatementReset&) = delete;
  StatementReset& operator=(const StatementReset&) = delete;

 private:
  SqliteStatement& statement_;
};

enum class CheckpointMode { kPassive, kRestart, kTruncate };

// One connection. Used by one thread at a time. Closing it neither checkpoints nor syncs.
class SqliteConnection {
 public:
  // Opens `path`, which must exist. `vfs` is a registered VFS, empty for SQLite's default.
  static absl::StatusOr<SqliteConnection> Open(const std::string& path, const std::string& vfs);

  absl::StatusOr<SqliteStatement> Prepare(std::string_view sql);
  // Prepares each into its place; stops at the first error.
  absl::Status PrepareAll(std::initializer_list<std::pair<SqliteStatement*, std::string_view>> statements);
  // Runs one or more statements without results.
  absl::Status Execute(const char* sql);
  // How long a lock is waited for. 0 by default: not at all.
  void SetBusyTimeout(absl::Duration timeout);

  // Moves the write-ahead log's content into the database and syncs both. True when all that the mode asks for was
  // done, false when other connections stood in the way.
  absl::StatusOr<bool> Checkpoint(CheckpointMode mode);

  // True while a transaction is open.
  bool InTransaction() const;
  // Rows that the last INSERT, UPDATE or DELETE changed.
  int64_t Changes() const;
  sqlite3* handle() const { return db_.get(); }

 private:
  struct CloseDatabase {
    void operator()(sqlite3* db) const;
  };
  explicit SqliteConnection(sqlite3* db) : db_(db) {}

  std::unique_ptr<sqlite3, CloseDatabase> db_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_SQLITE_DATABASE_H_
