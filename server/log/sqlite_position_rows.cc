#include "server/log/sqlite_position_rows.h"

#include <string>
#include <utility>
#include <vector>

namespace refund_relay {

absl::StatusOr<std::unique_ptr<SqlitePositionRows>> SqlitePositionRows::Open(SqliteConnection& connection) {
  auto rows = std::make_unique<SqlitePositionRows>();
  const absl::Status prepared = connection.PrepareAll({
      {&rows->select_, "SELECT subscriber_name, sequence, event_hash, version, filter, committed_at FROM positions"},
      {&rows->select_floor_, "SELECT value FROM meta WHERE key = 'position_version_floor'"},
      {&rows->upsert_,
       "INSERT INTO positions (subscriber_name, sequence, event_hash, version, filter, committed_at)"
       " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET sequence = ?2, event_hash = ?3, version = ?4,"
       " filter = ?5, committed_at = ?6"},
      {&rows->delete_, "DELETE FROM positions WHERE subscriber_name = ?1"},
      {&rows->set_floor_,
       "INSERT INTO meta (key, value) VALUES ('position_version_floor', ?1) ON CONFLICT DO UPDATE SET value = ?1"},
  });
  if (!prepared.ok()) return prepared;
  return rows;
}

absl::Status SqlitePositionRows::LoadInto(PositionTable& table) {
  std::vector<CommittedPosition> positions;
  {
    StatementReset reset(select_);
    for (auto row = select_.Step();; row = select_.Step()) {
      if (!row.ok()) return row.status();
      if (!*row) break;
      CommittedPosition position;
      position.subscriber_name = select_.Bytes(0);
      position.position = {static_cast<uint64_t>(select_.Int(1)), static_cast<uint64_t>(select_.Int(2))};
      position.version = static_cast<uint64_t>(select_.Int(3));
      position.filter = select_.Bytes(4);
      position.committed_at = absl::FromUnixMicros(select_.Int(5));
      positions.push_back(std::move(position));
    }
  }
  StatementReset reset(select_floor_);
  const absl::StatusOr<bool> row = select_floor_.Step();
  if (!row.ok()) return row.status();
  table.Load(std::move(positions), *row ? static_cast<uint64_t>(select_floor_.Int(0)) : 0);
  return absl::OkStatus();
}

absl::Status SqlitePositionRows::Write(const CommittedPosition& position) {
  upsert_.BindText(1, position.subscriber_name);
  upsert_.BindInt(2, static_cast<int64_t>(position.position.sequence));
  upsert_.BindInt(3, static_cast<int64_t>(position.position.event_hash));
  upsert_.BindInt(4, static_cast<int64_t>(position.version));
  upsert_.BindBlob(5, position.filter);
  upsert_.BindInt(6, absl::ToUnixMicros(position.committed_at));
  return upsert_.Run();
}

absl::Status SqlitePositionRows::Erase(std::string_view subscriber_name, uint64_t version_floor) {
  set_floor_.BindInt(1, static_cast<int64_t>(version_floor));
  if (absl::Status set = set_floor_.Run(); !set.ok()) return set;
  delete_.BindText(1, subscriber_name);
  return delete_.Run();
}

}  // namespace refund_relay
