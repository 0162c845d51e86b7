// Compares what two filters admit.
#ifndef REFUND_RELAY_CLIENT_FILTER_COVER_H_
#define REFUND_RELAY_CLIENT_FILTER_COVER_H_

#include "refundrelay/v1/refund_event_service.pb.h"

namespace refund_relay {

// Whether every event that `narrow` admits is admitted by `wide` too. A type stands for its names, so that the same
// filter may be written in either way; a type that this build does not know stands for itself. Pure.
bool Covers(const refundrelay::v1::EventFilter& wide, const refundrelay::v1::EventFilter& narrow);

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_FILTER_COVER_H_
