// Turns the raw body of a refund webhook into a RefundEvent, without losing anything.
#ifndef REFUND_RELAY_SERVER_TRANSLATE_WEBHOOK_PARSER_H_
#define REFUND_RELAY_SERVER_TRANSLATE_WEBHOOK_PARSER_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "refundrelay/v1/refund_event.pb.h"

namespace refund_relay {

// What the ingress knows of a webhook besides its body.
struct WebhookContext {
  absl::Time received_at;
  std::string traceparent;  // a valid W3C traceparent, or empty
};

struct ParsedWebhook {
  refundrelay::v1::RefundEvent event;
  // Where the body left the known schema: a schema name such as `event` or `created_at`, `other` for a member that the
  // schema does not know. For `schema_drift_total{field}`.
  std::vector<std::string> drift;
};

// Parses `body`. A pure function; thread-safe; the stack it needs does not grow with the nesting of `body`.
//
// Guarantee: `WriteWebhook` of the result gives a JSON value equal to `body`.
//
// Errors, both naming the place (a byte offset or a JSON Pointer) and what is expected there, and never a value from
// the body (it may be personal data):
// - INVALID_ARGUMENT: not JSON by the contract's rules (HTTP 400).
// - FAILED_PRECONDITION: JSON, but not a refund event (HTTP 422).
absl::StatusOr<ParsedWebhook> ParseWebhook(std::string_view body, const WebhookContext& context);

// `ParseWebhook`, or what stands in for it in a test. Called from several threads at once.
using ParseFunction =
    std::function<absl::StatusOr<ParsedWebhook>(std::string_view body, const WebhookContext& context)>;

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_TRANSLATE_WEBHOOK_PARSER_H_
