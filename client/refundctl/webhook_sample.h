// The vendor's sample webhooks, built into refundctl.
#ifndef REFUND_RELAY_CLIENT_REFUNDCTL_WEBHOOK_SAMPLE_H_
#define REFUND_RELAY_CLIENT_REFUNDCTL_WEBHOOK_SAMPLE_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"

// Pure and thread-safe.
namespace refund_relay {

// The body of the sample `pass`, `subscription` or `pay_per_use`, byte for byte as the vendor's page has it; nullopt
// for any other name. From tests/testdata/, by generated code.
std::optional<std::string_view> WebhookSample(std::string_view name);

// `sample` as the webhook of a new refund: with `refund_id` (hex digits) as its `_id`, and with all times `now`, the
// refund's in milliseconds and the envelope's in seconds. Everything else stays, byte for byte.
std::string MakeUnique(std::string_view sample, std::string_view refund_id, absl::Time now);

// 24 random hex digits, the form of the vendor's ids.
std::string RandomRefundId();

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_REFUNDCTL_WEBHOOK_SAMPLE_H_
