// FanOut: keeps the newest commits, already encoded, and wakes those who wait for them.
#ifndef REFUND_RELAY_SERVER_STREAM_FAN_OUT_H_
#define REFUND_RELAY_SERVER_STREAM_FAN_OUT_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/base/call_once.h"
#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "server/log/event_log.h"
#include "server/stream/encoded_events.h"

namespace refund_relay {

// One commit in the window: encoded once with personal data, and at the first demand once without. Thread-safe.
class LiveCommit {
 public:
  explicit LiveCommit(std::shared_ptr<const EncodedEvents> events) : events_(std::move(events)) {}

  const std::shared_ptr<const EncodedEvents>& Get(bool omit_personal_data) const;
  uint64_t from() const { return events_->from; }
  const LogPosition& last() const { return events_->last; }
  // About what it takes in memory, but for the copy without personal data.
  size_t bytes() const { return events_->bytes.size() + events_->entries.size() * sizeof(EncodedEntry); }

 private:
  const std::shared_ptr<const EncodedEvents> events_;
  mutable absl::once_flag omit_once_;
  mutable std::shared_ptr<const EncodedEvents> omitted_;
};

// Stands between the log's tail, which alone feeds it, and the subscriptions. Publishing never waits for a
// subscription: who falls out of the window reads history again. Thread-safe.
class FanOut {
 public:
  struct Options {
    // Of encoded events; the newest commit stays however large it is. Where someone asked for events without personal
    // data, those copies come on top.
    size_t window_bytes = 16 << 20;
  };

  // Is told that there may be something new. Called on the log's thread: must be quick and must not block.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void OnPublished() = 0;
  };

  explicit FanOut(const Options& options) : options_(options) {}

  // Starts to follow `log`, once. The fan-out must outlive the log's last tail call.
  void Start(EventLog& log);

  // A listener must be removed before it dies; none is called after `RemoveListener` returned.
  void AddListener(Listener* listener);
  void RemoveListener(Listener* listener);

  // The newest position that was published (before the first commit, that from which the tail started).
  LogPosition last() const;

  // Where a subscription that has scanned everything up to `sequence` stands.
  enum class Place {
    kInWindow,  // `commits` holds what comes next, if there is anything: live
    kBehind,    // what comes next has left the window: history
  };

  // Appends to `commits` those that hold events after `sequence`, oldest first, up to about `max_bytes` but at least
  // one. The first may begin before `sequence`, but never after it.
  Place After(uint64_t sequence, size_t max_bytes, std::vector<std::shared_ptr<const LiveCommit>>* commits) const;

 private:
  void Publish(absl::Span<const StoredEvent> events);

  const Options options_;
  mutable absl::Mutex mutex_;
  std::deque<std::shared_ptr<const LiveCommit>> window_ ABSL_GUARDED_BY(mutex_);
  size_t window_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  LogPosition last_ ABSL_GUARDED_BY(mutex_);
  uint64_t window_from_ ABSL_GUARDED_BY(mutex_) = 0;  // the window holds (window_from_, last_.sequence]
  // Apart from `mutex_`, so that listeners are called without the lock that streams wait for.
  absl::Mutex listeners_mutex_;
  std::vector<Listener*> listeners_ ABSL_GUARDED_BY(listeners_mutex_);
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_STREAM_FAN_OUT_H_
