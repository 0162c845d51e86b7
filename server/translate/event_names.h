// The one table of event names and their types.
#ifndef REFUND_RELAY_SERVER_TRANSLATE_EVENT_NAMES_H_
#define REFUND_RELAY_SERVER_TRANSLATE_EVENT_NAMES_H_

#include <string_view>

#include "absl/types/span.h"
#include "refundrelay/v1/refund_event.pb.h"

namespace refund_relay {

// Every webhook of ours has an event name that starts so.
inline constexpr std::string_view kEventNamePrefix = "refunded.";

// The type of `event_name`; REFUND_EVENT_TYPE_UNSPECIFIED if it is unknown. Thread-safe.
refundrelay::v1::RefundEventType TypeOfEventName(std::string_view event_name);

// The names that `type` stands for; empty for UNSPECIFIED and numbers without a name. Thread-safe.
absl::Span<const std::string_view> EventNamesOfType(refundrelay::v1::RefundEventType type);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_TRANSLATE_EVENT_NAMES_H_
