// SHA-256 for names and fingerprints.
#ifndef REFUND_RELAY_SERVER_TRANSLATE_SHA256_H_
#define REFUND_RELAY_SERVER_TRANSLATE_SHA256_H_

#include <array>
#include <initializer_list>
#include <string>
#include <string_view>

namespace refund_relay {

using Sha256Digest = std::array<unsigned char, 32>;

// The SHA-256 of `parts`, one after the other. Thread-safe. Ends the process if the crypto library has no SHA-256: no
// event could be named then.
Sha256Digest Sha256(std::initializer_list<std::string_view> parts);

// The first `bytes` (at most 32) of `digest` in lower-case hex.
std::string LowerHex(const Sha256Digest& digest, size_t bytes = 32);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_TRANSLATE_SHA256_H_
