// Publisher: admits translated events into the log.
#ifndef REFUND_RELAY_SERVER_STREAM_PUBLISHER_H_
#define REFUND_RELAY_SERVER_STREAM_PUBLISHER_H_

#include <atomic>

#include "absl/status/status.h"
#include "refundrelay/v1/refund_event.pb.h"
#include "server/log/event_log.h"
#include "server/stream/append_count.h"

namespace refund_relay {

// Stands between the webhook handler and the log on the path of a webhook. Thread-safe; never blocks on storage.
class Publisher {
 public:
  // `log` must outlive the publisher.
  explicit Publisher(EventLog& log) : log_(log) {}

  // Encodes and appends `event`. `done` is called as EventLog::Append does, with its errors; UNAVAILABLE with reason
  // DRAINING after `StartDraining`.
  void Publish(const refundrelay::v1::RefundEvent& event, EventLog::AppendDone done);

  // OK if `Publish` would be tried now; else why the server takes in nothing, with the error that `Publish` would give:
  // UNAVAILABLE while draining, what the log's Health says, RESOURCE_EXHAUSTED while its queue is full. The ingress
  // asks it before it finds fault with a webhook: while the server itself cannot serve, that is the answer.
  absl::Status CheckAdmission();

  // The appends that came this way.
  const AppendCount& appends() const { return appends_; }

  // Refuses every event from now on. Events that were admitted before are still answered.
  void StartDraining() { draining_.store(true, std::memory_order_relaxed); }

 private:
  EventLog& log_;
  AppendCount appends_;
  std::atomic<bool> draining_ = false;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_STREAM_PUBLISHER_H_
