// Base64url as JSON Web Tokens have it (RFC 7515, section 2).
#ifndef REFUND_RELAY_SERVER_IDENTITY_BASE64URL_H_
#define REFUND_RELAY_SERVER_IDENTITY_BASE64URL_H_

#include <optional>
#include <string>
#include <string_view>

namespace refund_relay {

// The bytes that `text` encodes; unset unless it is their one encoding: no padding, no white space, no stray bits at
// the end. So no second text stands for the same bytes. Pure.
std::optional<std::string> DecodeBase64Url(std::string_view text);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_IDENTITY_BASE64URL_H_
