// Where a subscriber's position is kept, so that a restart goes on after the last event that was handled.
#ifndef REFUND_RELAY_POSITION_KEEPER_H_
#define REFUND_RELAY_POSITION_KEEPER_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "refund_relay/connection.h"
#include "refundrelay/v1/refund_event_service.pb.h"

namespace refund_relay {

struct KeptPosition {
  // Everything up to here was handled.
  refundrelay::v1::Position position;
  // The filter it was read through. A keeper that does not keep it leaves it empty (= all events), which means that a
  // filter that becomes wider later is not noticed.
  refundrelay::v1::EventFilter filter;
};

// Derive from it to keep positions in a store of your own, for example in the database that the handler books into:
// then let the handler write its position in the same transaction, Load read it, and Commit do nothing.
//
// Errors: after UNAVAILABLE, RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED, CANCELLED, INTERNAL and UNKNOWN the subscriber
// tries again later; any other ends its run. Load and Commit are called on the thread of Subscriber::Run, never at
// once, and may block; StopLoading is called by any thread.
class PositionKeeper {
 public:
  virtual ~PositionKeeper() = default;

  // What is kept; nullopt if nothing was ever kept. Something that cannot be read is an error and never nullopt:
  // nullopt makes the subscriber begin at the start that was chosen for the very first time.
  virtual absl::StatusOr<std::optional<KeptPosition>> Load() = 0;

  // Keeps `kept` instead of what was kept before. OK only once it is durable.
  virtual absl::Status Commit(const KeptPosition& kept) = 0;

  // Whether START_FROM_COMMITTED means the position that Load gives.
  virtual bool KeptByServer() const { return false; }

  // Makes a Load that is under way, and every further one, fail soon. Not a Commit.
  virtual void StopLoading() {}
};

// Keeps the position at the server, under `subscriber_name` (GetCommittedPosition, CommitPosition): no database needed.
// Commits with the version that it knows, so that of two processes under one name the second one to commit is told
// (ABORTED, VERSION_CHANGED) and its run ends. An answer takes `timeout` at most.
std::unique_ptr<PositionKeeper> MakeServerPositionKeeper(std::shared_ptr<Connection> connection,
                                                         std::string subscriber_name,
                                                         absl::Duration timeout = absl::Seconds(5));

// Keeps the position in the file `path`, written as a whole: a temporary file in the same folder, synced, renamed, and
// the folder synced. Beside it lies `path`.lock, locked from the first Load or Commit on for as long as the keeper
// lives.
//
// The folder must exist. No file means that nothing was kept yet, so keep it on a disk that is always there.
// - DATA_LOSS, POSITION_FILE_DAMAGED: the file was cut off or edited. FAILED_PRECONDITION, POSITION_FILE_FOREIGN: it is
//   no such file, or another subscriber's. FAILED_PRECONDITION, POSITION_FILE_LOCKED: another process uses it.
//   RESOURCE_EXHAUSTED: the disk is full. PERMISSION_DENIED, NOT_FOUND, INTERNAL: as the system says.
std::unique_ptr<PositionKeeper> MakeFilePositionKeeper(std::string path, std::string subscriber_name);

}  // namespace refund_relay

#endif  // REFUND_RELAY_POSITION_KEEPER_H_
