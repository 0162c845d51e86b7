// StreamRegistry: the records of all open streams.
#ifndef REFUND_RELAY_SERVER_RPC_STREAM_REGISTRY_H_
#define REFUND_RELAY_SERVER_RPC_STREAM_REGISTRY_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/rpc/stream_record.h"

namespace refund_relay {

// Knows every stream between its start and its end, and, for the loss audit, those that ended lately. Thread-safe;
// never blocks on I/O.
class StreamRegistry {
 public:
  using Record = std::shared_ptr<const StreamRecord>;

  // Streams that ended and that the audit has not seen yet. More than this many between two audits are not kept.
  static constexpr size_t kMostEnded = 16384;

  // Streams that ended since the last call.
  struct Ended {
    std::vector<Record> streams;
    uint64_t forgotten_events = 0;  // what those had examined that were not kept
  };

  std::shared_ptr<StreamRecord> Open(StreamIdentity identity);
  void Close(const StreamRecord& record);

  // By name, then by age.
  std::vector<Record> List() const;

  // Keeps streams that end from now on for TakeEnded.
  void KeepEnded();
  // The open streams and those that ended since the last call; no stream falls between the two lists.
  std::pair<std::vector<Record>, Ended> OpenAndEnded();

 private:
  using Key = std::pair<std::string, uint64_t>;  // name and number

  std::vector<Record> ListLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  uint64_t opened_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<Key, Record> open_ ABSL_GUARDED_BY(mutex_);
  bool keep_ended_ ABSL_GUARDED_BY(mutex_) = false;
  Ended ended_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_STREAM_REGISTRY_H_
