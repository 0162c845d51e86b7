// StreamRecord: what one open stream shows to ListSubscribers, the metrics and the loss audit.
#ifndef REFUND_RELAY_SERVER_RPC_STREAM_RECORD_H_
#define REFUND_RELAY_SERVER_RPC_STREAM_RECORD_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "refundrelay/v1/refund_event_service.pb.h"
#include "server/log/event_filter.h"
#include "server/log/event_log.h"

namespace refund_relay {

// What does not change while a stream is open.
struct StreamIdentity {
  std::string subscriber_name;
  std::string peer;
  refundrelay::v1::EventFilter shown_filter;
  EventFilter filter;  // the same, as the log matches it
  LogPosition start;
  absl::Time connected_at;
};

// How far a stream is. All of it belongs to the same moment.
struct StreamProgress {
  LogPosition position;           // everything up to here was examined and, where it matches, handed to the transport
  uint64_t delivered_events = 0;  // handed to the transport since the start
  bool live = false;              // in the window of recent commits; else it reads history
  // Since when the transport has not taken the last message; unset while nothing is under way.
  std::optional<std::chrono::steady_clock::time_point> waiting_since;
};

// Written by the stream's thread, read by any. Never blocks on I/O.
class StreamRecord {
 public:
  // `number` rises with each stream that is opened: streams of one name are listed by it.
  StreamRecord(uint64_t number, StreamIdentity identity) : number_(number), identity_(std::move(identity)) {
    progress_.position = identity_.start;
  }

  uint64_t number() const { return number_; }
  const StreamIdentity& identity() const { return identity_; }

  StreamProgress progress() const {
    absl::MutexLock lock(&mutex_);
    return progress_;
  }

  // The stream has examined everything up to `position` and found `delivered_events` more to deliver on the way.
  void Examined(LogPosition position, size_t delivered_events, bool live) {
    absl::MutexLock lock(&mutex_);
    progress_.position = position;
    progress_.delivered_events += delivered_events;
    progress_.live = live;
  }

  // A message was given to the transport; the transport took it.
  void WriteBegan(std::chrono::steady_clock::time_point now) {
    absl::MutexLock lock(&mutex_);
    progress_.waiting_since = now;
  }
  void WriteEnded() {
    absl::MutexLock lock(&mutex_);
    progress_.waiting_since.reset();
  }

 private:
  const uint64_t number_;
  const StreamIdentity identity_;
  mutable absl::Mutex mutex_;
  StreamProgress progress_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_STREAM_RECORD_H_
