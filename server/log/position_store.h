// PositionStore: the positions that subscribers commit, kept beside the log under their names.
#ifndef REFUND_RELAY_SERVER_LOG_POSITION_STORE_H_
#define REFUND_RELAY_SERVER_LOG_POSITION_STORE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/log/event_log.h"

namespace refund_relay {

// Names beyond this many are refused: positions are held in memory, and every name is a series in the metrics.
inline constexpr size_t kMaxCommittedPositions = 10'000;

struct CommittedPosition {
  std::string subscriber_name;
  LogPosition position;  // of this log: everything up to here was handled
  uint64_t version = 0;  // rises with each change of a name's position, also over a deletion
  std::string filter;    // opaque to the log: the encoded filter that was subscribed with
  absl::Time committed_at;
};

struct PositionCommit {
  std::string subscriber_name;
  LogPosition position;  // already checked against the log
  std::string filter;
  // The version that must be in force, 0 = there must be none. Unset: any, but the position only goes forward.
  std::optional<uint64_t> expected_version;
};

// Shares the log's writer thread and its group commit. Thread-safe. Lives as long as the log.
class PositionStore {
 public:
  using CommitDone = absl::AnyInvocable<void(absl::StatusOr<uint64_t> version)>;
  using DeleteDone = absl::AnyInvocable<void(absl::StatusOr<CommittedPosition>)>;

  virtual ~PositionStore() = default;

  // Keeps a position. Never blocks on storage; `done` is called once, as by EventLog::Append, after the outcome is
  // durable. The same position and filter again are OK and change nothing.
  //
  // Errors besides those of EventLog::Append (RESOURCE_EXHAUSTED also when there are kMaxCommittedPositions names):
  // - ABORTED, VERSION_CHANGED {current}: another version is in force.
  // - FAILED_PRECONDITION, WOULD_REWIND: without an expected version, and the position lies behind the committed one.
  virtual void Commit(PositionCommit commit, CommitDone done) = 0;

  // Forgets the position of a name; `done` gets what was deleted. Errors besides those of EventLog::Append:
  // - NOT_FOUND, POSITION_UNKNOWN: there is none.
  // - ABORTED, VERSION_CHANGED {current}.
  virtual void Delete(std::string_view subscriber_name, std::optional<uint64_t> expected_version, DeleteDone done) = 0;

  // What is durable, from memory: never block on storage. `List` is ordered by name.
  virtual std::optional<CommittedPosition> Get(std::string_view subscriber_name) = 0;
  virtual std::vector<CommittedPosition> List() = 0;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_POSITION_STORE_H_
