// Tells a webhook that was sent again from another one with the same event id.
#ifndef REFUND_RELAY_SERVER_TRANSLATE_WEBHOOK_EQUALITY_H_
#define REFUND_RELAY_SERVER_TRANSLATE_WEBHOOK_EQUALITY_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "refundrelay/v1/refund_event.pb.h"

namespace refund_relay {

// Whether `body`, which ParseWebhook has accepted, has the same JSON value as the webhook that became `stored`, the
// time at which it was sent (`created_at`) aside. A pure function; thread-safe.
// - INVALID_ARGUMENT, FAILED_PRECONDITION: `stored` cannot be rendered, or `body` is no JSON.
absl::StatusOr<bool> IsSameWebhook(std::string_view body, const refundrelay::v1::RefundEvent& stored);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_TRANSLATE_WEBHOOK_EQUALITY_H_
