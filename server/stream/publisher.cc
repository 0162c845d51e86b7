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

}  // namespace

void Publisher::Publish(const RefundEvent& event, EventLog::AppendDone done) {
  if (draining_.load(std::memory_order_relaxed)) {
    done(WithReason(absl::UnavailableError("the server is shutting down; send the webhook again"), "DRAINING"));
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
  log_.Append(std::move(record), std::move(done));
}

}  // namespace refund_relay
