#include "server/stream/new_event.h"

#include <cassert>
#include <string>

namespace refund_relay {
namespace {

using refundrelay::v1::RefundEvent;

[[maybe_unused]] bool ParsesBack(const std::string& encoded) {
  RefundEvent event;
  return event.ParseFromString(encoded);
}

}  // namespace

NewEvent ToNewEvent(const RefundEvent& event) {
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
  return record;
}

}  // namespace refund_relay
