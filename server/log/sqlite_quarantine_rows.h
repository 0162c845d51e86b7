// SqliteQuarantineRows: the quarantine table of the embedded log as its writing connection sees it; and its reader.
#ifndef REFUND_RELAY_SERVER_LOG_SQLITE_QUARANTINE_ROWS_H_
#define REFUND_RELAY_SERVER_LOG_SQLITE_QUARANTINE_ROWS_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/log/quarantine_table.h"
#include "server/log/sqlite_database.h"

namespace refund_relay {

// Not thread-safe: opened on any thread, then used by the writer's only.
class SqliteQuarantineRows final : public QuarantineRows {
 public:
  // `connection` must outlive the rows.
  static absl::StatusOr<std::unique_ptr<SqliteQuarantineRows>> Open(SqliteConnection& connection);

  absl::StatusOr<std::optional<std::string>> FindBody(std::string_view body_hash) override;
  absl::StatusOr<bool> Contains(std::string_view quarantine_id) override;
  absl::Status Insert(const NewQuarantinedWebhook& webhook, std::string_view quarantine_id) override;
  absl::Status CountAgain(std::string_view quarantine_id) override;
  absl::StatusOr<bool> Remove(std::string_view quarantine_id) override;
  absl::StatusOr<Held> Count() override;

 private:
  explicit SqliteQuarantineRows(SqliteConnection& connection) : db_(connection) {}

  SqliteConnection& db_;
  SqliteStatement find_body_;
  SqliteStatement contains_;
  SqliteStatement insert_;
  SqliteStatement count_again_;
  SqliteStatement remove_;
  SqliteStatement count_;
};

// The reading end. Used by one thread at a time, inside a snapshot of its connection.
class SqliteQuarantineReader {
 public:
  absl::Status Prepare(SqliteConnection& connection);
  absl::StatusOr<std::vector<QuarantinedWebhook>> Read(const QuarantineQuery& query);

 private:
  SqliteStatement scan_;
  SqliteStatement select_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_SQLITE_QUARANTINE_ROWS_H_
