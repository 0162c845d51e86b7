// JsonWebKeySet: the public keys of an issuer of tokens, by their names (RFC 7517, section 5).
#ifndef REFUND_RELAY_SERVER_IDENTITY_JSON_WEB_KEY_SET_H_
#define REFUND_RELAY_SERVER_IDENTITY_JSON_WEB_KEY_SET_H_

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/identity/json_web_key.h"

namespace refund_relay {

// What an issuer publishes is a few keys; more is another file.
inline constexpr size_t kMostJsonWebKeys = 64;

// A key with a longer `kid` is left out.
inline constexpr size_t kMostKeyIdBytes = 256;

struct TrustedKey {
  JsonWebKey key;
  std::optional<SignatureAlgorithm> algorithm;  // the only one, if the set says so

  bool Takes(SignatureAlgorithm asked) const {
    return key.Fits(asked) && (!algorithm.has_value() || *algorithm == asked);
  }
};

// By key id (`kid`). A value.
using JsonWebKeySet = std::map<std::string, TrustedKey, std::less<>>;

// Reads a set. Left out, as RFC 7517 wants it: keys of other types, curves, algorithms or uses, and those without a
// `kid`, which no token can name. Pure.
//
// INVALID_ARGUMENT, which names the place and quotes nothing: not JSON, no set, a key that is ill-formed, too short or
// not of its curve, a `kid` twice, a private or shared key (those belong nowhere near a server that verifies), or no
// key that can be used: an empty set would refuse every token.
absl::StatusOr<JsonWebKeySet> ReadJsonWebKeySet(std::string_view json);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_IDENTITY_JSON_WEB_KEY_SET_H_
