// Bearer tokens (RFC 6750) and the text of their hashes.
#ifndef REFUND_RELAY_SERVER_ACCESS_BEARER_TOKEN_H_
#define REFUND_RELAY_SERVER_ACCESS_BEARER_TOKEN_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "server/translate/sha256.h"

namespace refund_relay {

// A shorter token could be guessed from its hash: 22 characters of Base64 carry 128 bits.
inline constexpr size_t kShortestTokenBytes = 22;

// A longer one is refused before anything is made of it: a service account's token has 1 to 2 KiB.
inline constexpr size_t kLongestTokenBytes = 8192;

// The token in the value of an `authorization` field, `Bearer TOKEN`; unset if it is none, or too long. Views `value`.
// Pure.
std::optional<std::string_view> TokenOf(std::string_view value);

// Whether a token has the form of a JWT (RFC 7519): three parts with two dots between. Pure.
bool LooksLikeJwt(std::string_view token);

// INVALID_ARGUMENT when `token` is too short or has characters that no bearer token has. No message holds any of it.
absl::Status CheckToken(std::string_view token);

// `sha256:` and the lower-case hex SHA-256 of a token, as the policy has it. Tokens are random, so one hash is enough:
// there is nothing to guess that a slow one would protect.
std::string TokenHashText(const Sha256Digest& hash);

// The inverse; unset if `text` is none.
std::optional<Sha256Digest> ParseTokenHash(std::string_view text);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_ACCESS_BEARER_TOKEN_H_
