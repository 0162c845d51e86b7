#include "server/ingress/http_status_table.h"

#include <iterator>

#include "server/log/status_reason.h"

namespace refund_relay {
namespace {

constexpr HttpStatusRow kTable[] = {
    {WebhookResult::kAccepted, 200, "accepted", "Accepted", 0, false},
    {WebhookResult::kDuplicate, 200, "duplicate", "Duplicate", 0, false},
    {WebhookResult::kConflict, 200, "conflict", "Duplicate with other content", 0, false},
    {WebhookResult::kQuarantined, 200, "quarantined", "In quarantine", 0, false},
    {WebhookResult::kBadRequest, 400, "bad_request", "Not an HTTP request that can be trusted", 0, true},
    {WebhookResult::kHeadTooLarge, 431, "head_too_large", "Header too large", 0, true},
    {WebhookResult::kNotFound, 404, "not_found", "No such path", 0, false},
    {WebhookResult::kMethodNotAllowed, 405, "method_not_allowed", "Method not allowed", 0, false},
    {WebhookResult::kLengthRequired, 411, "length_required", "Length required", 0, true},
    {WebhookResult::kUnsupportedType, 415, "unsupported_type", "Unsupported media type", 0, false},
    {WebhookResult::kExpectationFailed, 417, "expectation_failed", "Expectation failed", 0, false},
    {WebhookResult::kTooLarge, 413, "too_large", "Body too large", 0, true},
    {WebhookResult::kUnauthenticated, 401, "unauthenticated", "Not authenticated", 0, false},
    {WebhookResult::kTooSlow, 408, "too_slow", "Request too slow", 0, true},
    {WebhookResult::kRateLimited, 429, "rate_limited", "Too many webhooks", 1, false},
    {WebhookResult::kOverloaded, 503, "overloaded", "Overloaded", 1, false},
    {WebhookResult::kQuarantineFull, 503, "quarantine_full", "Quarantine full", 60, false},
    {WebhookResult::kUnavailable, 503, "unavailable", "Unavailable", 5, false},
    {WebhookResult::kMalformed, 400, "malformed", "Body is not JSON", 0, false},
    {WebhookResult::kUnprocessable, 422, "unprocessable", "Not a refund event", 0, false},
    {WebhookResult::kTimeout, 504, "timeout", "Commit too slow", 0, false},
    {WebhookResult::kInternalError, 500, "internal_error", "Internal error", 0, false},
};

constexpr bool IsInOrder() {
  for (size_t i = 0; i < std::size(kTable); ++i) {
    if (kTable[i].result != static_cast<WebhookResult>(i)) return false;
  }
  return std::size(kTable) == static_cast<size_t>(WebhookResult::kInternalError) + 1;
}
static_assert(IsInOrder());

}  // namespace

absl::Span<const HttpStatusRow> HttpStatusTable() { return kTable; }

const HttpStatusRow& HttpStatusOf(WebhookResult result) { return kTable[static_cast<size_t>(result)]; }

WebhookResult ResultOfHttpStatus(int status) {
  switch (status) {
    case 400:
      return WebhookResult::kBadRequest;
    case 408:
      return WebhookResult::kTooSlow;
    case 413:
      return WebhookResult::kTooLarge;
    case 431:
      return WebhookResult::kHeadTooLarge;
    case 503:
      return WebhookResult::kUnavailable;
    default:
      return WebhookResult::kInternalError;
  }
}

WebhookResult ResultOfParse(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return WebhookResult::kMalformed;
    case absl::StatusCode::kFailedPrecondition:
      return WebhookResult::kUnprocessable;
    default:
      return WebhookResult::kInternalError;
  }
}

WebhookResult ResultOfPublish(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kResourceExhausted: {
      const auto reason = ReasonOf(status);
      const bool quarantine_full = reason.has_value() && reason->reason() == "QUARANTINE_FULL";
      return quarantine_full ? WebhookResult::kQuarantineFull : WebhookResult::kOverloaded;
    }
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kAborted:
      return WebhookResult::kUnavailable;
    default:
      return WebhookResult::kInternalError;
  }
}

}  // namespace refund_relay
