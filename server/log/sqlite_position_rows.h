// SqlitePositionRows: the positions table of the embedded log, as its writing connection sees it.
#ifndef REFUND_RELAY_SERVER_LOG_SQLITE_POSITION_ROWS_H_
#define REFUND_RELAY_SERVER_LOG_SQLITE_POSITION_ROWS_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/log/position_table.h"
#include "server/log/sqlite_database.h"

namespace refund_relay {

// Not thread-safe: opened on any thread, then used by the writer's only.
class SqlitePositionRows final : public PositionRows {
 public:
  // `connection` must outlive the rows.
  static absl::StatusOr<std::unique_ptr<SqlitePositionRows>> Open(SqliteConnection& connection);

  // Gives `table` what is stored.
  absl::Status LoadInto(PositionTable& table);

  absl::Status Write(const CommittedPosition& position) override;
  absl::Status Erase(std::string_view subscriber_name, uint64_t version_floor) override;

 private:
  SqliteStatement select_;
  SqliteStatement select_floor_;
  SqliteStatement upsert_;
  SqliteStatement delete_;
  SqliteStatement set_floor_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_SQLITE_POSITION_ROWS_H_
