// Credentials of a webhook as the sender makes them: the signature of the raw body, or HTTP Basic.
#ifndef REFUND_RELAY_CLIENT_REFUNDCTL_WEBHOOK_CREDENTIALS_H_
#define REFUND_RELAY_CLIENT_REFUNDCTL_WEBHOOK_CREDENTIALS_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/ops/secret_text.h"

// Thread-safe.
namespace refund_relay {

inline constexpr char kSignatureHeader[] = "X-Conscent-Signature";

// Lower-case hex HMAC-SHA256 of `body` under `secret`. Pure.
std::string SignWebhook(std::string_view secret, std::string_view body);

// The value of the Authorization header for `user_password`, which is `user:password`. Pure.
std::string BasicAuthorization(std::string_view user_password);

// The first entry of a secrets file as the server reads it: one a line, white space at line ends and empty lines
// ignored. No message holds any of the content, and no copy of it stays in memory.
// - NOT_FOUND: it cannot be read. FAILED_PRECONDITION: it holds no entry.
absl::StatusOr<SecretText> ReadFirstSecret(const std::string& path);

// The bytes of the file, or of stdin for `-`.
// - NOT_FOUND: it cannot be read.
absl::StatusOr<std::string> ReadWholeFile(const std::string& path);

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_REFUNDCTL_WEBHOOK_CREDENTIALS_H_
