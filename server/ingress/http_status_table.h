// The one table of how webhooks end: HTTP status, title and metric label of each result.
#ifndef REFUND_RELAY_SERVER_INGRESS_HTTP_STATUS_TABLE_H_
#define REFUND_RELAY_SERVER_INGRESS_HTTP_STATUS_TABLE_H_

#include <string_view>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace refund_relay {

enum class WebhookResult {
  kAccepted,
  kDuplicate,
  kConflict,
  kQuarantined,
  kBadRequest,
  kHeadTooLarge,
  kNotFound,
  kMethodNotAllowed,
  kLengthRequired,
  kUnsupportedType,
  kExpectationFailed,
  kTooLarge,
  kUnauthenticated,
  kTooSlow,
  kRateLimited,
  kOverloaded,
  kQuarantineFull,
  kUnavailable,
  kMalformed,
  kUnprocessable,
  kTimeout,
  kInternalError,
};

struct HttpStatusRow {
  WebhookResult result;
  int status;
  std::string_view label;   // of webhooks_total{result}; of a 2xx but conflict also the answer's `status`
  std::string_view title;   // of the problem+json
  int retry_after_seconds;  // 0: no Retry-After
  bool close;               // the connection must not be used again
};

// Every row, in the order of WebhookResult.
absl::Span<const HttpStatusRow> HttpStatusTable();

const HttpStatusRow& HttpStatusOf(WebhookResult result);

// What a refusal by the HTTP server itself counts as; kInternalError for a status that it never gives.
WebhookResult ResultOfHttpStatus(int status);

// What an error of the parser means: INVALID_ARGUMENT not JSON (400), FAILED_PRECONDITION no refund event (422).
// Everything else is a fault of ours.
WebhookResult ResultOfParse(const absl::Status& status);

// What an error of the publisher, the log or the quarantine means: RESOURCE_EXHAUSTED overloaded, or the quarantine is
// full; UNAVAILABLE and ABORTED unavailable (all 503). Everything else is a fault of ours: never a 4xx.
WebhookResult ResultOfPublish(const absl::Status& status);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_HTTP_STATUS_TABLE_H_
