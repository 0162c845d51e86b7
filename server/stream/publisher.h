// Publisher: admits translated events into the log, and what could not become an event into the quarantine.
#ifndef REFUND_RELAY_SERVER_STREAM_PUBLISHER_H_
#define REFUND_RELAY_SERVER_STREAM_PUBLISHER_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "refundrelay/v1/refund_event.pb.h"
#include "server/log/event_log.h"
#include "server/log/quarantine.h"
#include "server/stream/append_count.h"
#include "server/stream/history_reader.h"

namespace refund_relay {

struct PublishOutcome {
  uint64_t sequence = 0;   // of the event, or of the first copy
  bool duplicate = false;  // the event id was there before
  // Of a duplicate that says something else than the first copy: where it is kept. Empty otherwise.
  std::string quarantine_id;
};

// Stands between the webhook handler and the log on the path of a webhook. Thread-safe; never blocks on storage.
class Publisher {
 public:
  using PublishDone = absl::AnyInvocable<void(absl::StatusOr<PublishOutcome>)>;

  // All must outlive the publisher, and be there until the log was closed.
  Publisher(EventLog& log, Quarantine& quarantine, HistoryReader& history)
      : log_(log), quarantine_(quarantine), history_(history) {}

  // Encodes and appends `event`, which was translated from `body`. A duplicate is compared with its first copy, on a
  // history thread; one that says something else is kept in quarantine as a conflict. `done` is called once, from any
  // thread, after all of that is durable.
  //
  // Errors: those of EventLog::Append and Quarantine::Add; UNAVAILABLE with reason DRAINING after `StartDraining`;
  // UNAVAILABLE and RESOURCE_EXHAUSTED also when a duplicate could not be compared just now.
  void Publish(const refundrelay::v1::RefundEvent& event, std::string_view body, PublishDone done);

  // Keeps a webhook that could not become an event. As Quarantine::Add; UNAVAILABLE, DRAINING after `StartDraining`.
  void Keep(NewQuarantinedWebhook webhook, Quarantine::AddDone done);

  // OK if `Publish` would be tried now; else why the server takes in nothing, with the error that `Publish` would give:
  // UNAVAILABLE while draining, what the log's Health says, RESOURCE_EXHAUSTED while its queue is full. The ingress
  // asks it before it finds fault with a webhook: while the server itself cannot serve, that is the answer.
  absl::Status CheckAdmission();

  // The appends that came this way.
  const AppendCount& appends() const { return appends_; }

  // Refuses everything from now on. What was admitted before is still answered.
  void StartDraining() { draining_.store(true, std::memory_order_relaxed); }

 private:
  struct Incoming;
  void Compare(Incoming incoming, uint64_t sequence, PublishDone done);

  EventLog& log_;
  Quarantine& quarantine_;
  HistoryReader& history_;
  AppendCount appends_;
  std::atomic<bool> draining_ = false;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_STREAM_PUBLISHER_H_
