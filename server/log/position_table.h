// PositionTable: the committed positions in memory, and the rules by which they change. Every log uses it.
#ifndef REFUND_RELAY_SERVER_LOG_POSITION_TABLE_H_
#define REFUND_RELAY_SERVER_LOG_POSITION_TABLE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/log/commit_part.h"
#include "server/log/position_store.h"
#include "server/ops/clock.h"

namespace refund_relay {

// Where a durable log writes positions to, inside the transaction that is open. Called on the writer's thread.
class PositionRows {
 public:
  virtual ~PositionRows() = default;
  virtual absl::Status Write(const CommittedPosition& position) = 0;
  // No position that is committed from now on gets a version of `version_floor` or below.
  virtual absl::Status Erase(std::string_view subscriber_name, uint64_t version_floor) = 0;
};

// `Commit`, `Delete` and the methods of CommitPart belong to the writer's thread; `Get` and `List` are thread-safe.
class PositionTable final : public CommitPart {
 public:
  // `clock` and `rows` (null: nothing is written) must outlive the table.
  PositionTable(const Clock& clock, PositionRows* rows) : clock_(clock), rows_(rows) {}

  // Sets what was found on opening. Before anything else.
  void Load(std::vector<CommittedPosition> positions, uint64_t version_floor) ABSL_LOCKS_EXCLUDED(mu_);

  // As PositionStore's. The returned status is of storage; what the rules say goes into `outcome`.
  absl::Status Commit(const PositionCommit& commit, absl::StatusOr<uint64_t>* outcome);
  absl::Status Delete(const std::string& subscriber_name, std::optional<uint64_t> expected_version,
                      absl::StatusOr<CommittedPosition>* outcome);

  void Published() override ABSL_LOCKS_EXCLUDED(mu_);
  void RolledBack() override { staged_.clear(); }

  std::optional<CommittedPosition> Get(std::string_view subscriber_name) ABSL_LOCKS_EXCLUDED(mu_);
  std::vector<CommittedPosition> List() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  using Positions = std::map<std::string, CommittedPosition, std::less<>>;

  // What the open transaction sees; null where there is none.
  const CommittedPosition* Find(const std::string& subscriber_name) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status CheckRules(const PositionCommit& commit, const CommittedPosition* current);

  const Clock& clock_;
  PositionRows* const rows_;

  // Of the writer's thread.
  std::map<std::string, std::optional<CommittedPosition>> staged_;  // unset = deleted
  uint64_t version_floor_ = 0;  // a version may be skipped by a commit that failed; none is ever used twice

  absl::Mutex mu_;
  Positions positions_ ABSL_GUARDED_BY(mu_);  // changed by the writer's thread only
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_POSITION_TABLE_H_
