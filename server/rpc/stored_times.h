// StoredTimes: since when events wait for a subscriber, for those who must not wait for storage themselves.
#ifndef REFUND_RELAY_SERVER_RPC_STORED_TIMES_H_
#define REFUND_RELAY_SERVER_RPC_STORED_TIMES_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/log/event_log.h"
#include "server/stream/history_reader.h"

namespace refund_relay {

// When the oldest event after `sequence` that is still stored was stored; unset when there is none or it cannot be read
// just now. Blocks on storage.
std::optional<absl::Time> OldestStoredAfter(EventLog& log, uint64_t sequence);

// Looks such times up on a history thread, one look-up turn at a time, however often it is asked. Thread-safe.
class StoredTimes {
 public:
  // `history` must outlive this.
  explicit StoredTimes(HistoryReader& history) : history_(history), state_(std::make_shared<State>()) {}

  // OldestStoredAfter of each of `sequences`, of which there should be some hundreds at most. Waits for storage, but no
  // longer than `patience`: what is not known by then is missing in the result.
  std::map<uint64_t, absl::Time> After(const std::set<uint64_t>& sequences, absl::Duration patience);

 private:
  // Shared with the turn, which may come to its end after the asker is gone.
  struct State {
    absl::Mutex mutex;
    bool looking ABSL_GUARDED_BY(mutex) = false;
    // What was found at the last look-up, for those that were asked for.
    std::map<uint64_t, absl::Time> known ABSL_GUARDED_BY(mutex);

    bool Idle() const ABSL_SHARED_LOCKS_REQUIRED(mutex) { return !looking; }
  };

  HistoryReader& history_;
  const std::shared_ptr<State> state_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_STORED_TIMES_H_
