#include "server/identity/base64url.h"

#include "absl/strings/escaping.h"

namespace refund_relay {

std::optional<std::string> DecodeBase64Url(std::string_view text) {
  std::string bytes;
  if (!absl::WebSafeBase64Unescape(absl::string_view(text.data(), text.size()), &bytes)) return std::nullopt;
  // Abseil takes padding and white space as well.
  if (absl::WebSafeBase64Escape(bytes) != absl::string_view(text.data(), text.size())) return std::nullopt;
  return bytes;
}

}  // namespace refund_relay
