#include "server/stream/publisher.h"

#include <cassert>
#include <utility>

#include "server/log/status_reason.h"

namespace refund_relay {
namespace {

using refundrelay::v1::RefundEvent;

[[maybe_unused]] bool ParsesBack(const std::string& encoded) {
  RefundEvent event;
  return event.ParseFromString(encoded);
}

absl::Status DrainingError() {
  return WithReason(absl::UnavailableError("the server is shutting down; send the webhook again"), "DRAINING");
}

}  // namespace

absl::Status Publisher::CheckAdmission() {
  if (draining_.load(std::memory_order_relaxed)) return DrainingError();
  if (absl::Status health = log_.Health(); !health.ok()) return health;
  const LogInfo info = log_.Info();
  if (info.queue_limit_events > 0 && info.queued_events >= info.queue_limit_events) {
    return absl::ResourceExhaustedError("the append queue is full; send the webhook again");
  }
  return absl::OkStatus();
}

void Publisher::Publish(const RefundEvent& event, EventLog::AppendDone done) {
  if (draining_.load(std::memory_order_relaxed)) {
    done(DrainingError());
    return;
  }
  NewEvent record;
  record.event_id = event.event_id();
  record.event_name = event.event_name();
  record.client_id = event.refund().client_id();
  record.refund_id = event.refund().id();
  record.payment_gateway_refund_id = event.refund().payment_gateway_refund_id();
  event.SerializeToString(&record.event);
  // Protobuf serialises invalid UTF-8 and then refuses to parse it: an event that no subscriber could read must not be
  // stored. The parser lets none through; this is how debug builds and fuzzing would notice.
  assert(ParsesBack(record.event));
  log_.Append(std::move(record), appends_.Begin(std::move(done)));
}

}  // namespace refund_relay
