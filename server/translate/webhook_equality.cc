#include "server/translate/webhook_equality.h"

#include <string>

#include "server/translate/canonical_json.h"
#include "server/translate/sha256.h"
#include "server/translate/webhook_writer.h"

namespace refund_relay {

absl::StatusOr<bool> IsSameWebhook(std::string_view body, const refundrelay::v1::RefundEvent& stored) {
  const Sha256Digest digest = Sha256({body});
  if (std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()) == stored.webhook_sha256()) {
    return true;  // the usual case: the very same bytes
  }
  const absl::StatusOr<std::string> rendered = WriteWebhook(stored);
  if (!rendered.ok()) return rendered.status();
  constexpr std::string_view kSentAt = "created_at";
  const absl::StatusOr<std::string> before = CanonicalJson(*rendered, kSentAt);
  if (!before.ok()) return before.status();
  const absl::StatusOr<std::string> now = CanonicalJson(body, kSentAt);
  if (!now.ok()) return now.status();
  return *before == *now;
}

}  // namespace refund_relay
