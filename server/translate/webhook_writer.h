// Renders a RefundEvent back to the webhook JSON that it came from: the inverse of webhook_parser.
#ifndef REFUND_RELAY_SERVER_TRANSLATE_WEBHOOK_WRITER_H_
#define REFUND_RELAY_SERVER_TRANSLATE_WEBHOOK_WRITER_H_

#include <string>

#include "absl/status/statusor.h"
#include "refundrelay/v1/refund_event.pb.h"

namespace refund_relay {

// Returns compact JSON. A pure function; thread-safe. For an event of `ParseWebhook` the value equals the original: the
// same members, strings by code points, number texts and order of arrays (the order of members and white space do not
// count). An event without its personal data gives what is left.
// - INVALID_ARGUMENT: an `extra_fields` entry is not a JSON Pointer and JSON text, which no event of ours has.
absl::StatusOr<std::string> WriteWebhook(const refundrelay::v1::RefundEvent& event);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_TRANSLATE_WEBHOOK_WRITER_H_
