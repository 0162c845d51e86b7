// ServiceAccountToken: what a token of a Kubernetes service account says (a JWT, RFC 7519, signed as RFC 7515 has it),
// before anybody has verified it.
#ifndef REFUND_RELAY_SERVER_IDENTITY_SERVICE_ACCOUNT_TOKEN_H_
#define REFUND_RELAY_SERVER_IDENTITY_SERVICE_ACCOUNT_TOKEN_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "server/identity/json_web_key.h"

namespace refund_relay {

// Why a token is not accepted.
enum class TokenFault {
  kNone,
  kTooLong,
  kIllFormed,
  kAlgorithm,
  kHeader,
  kSubject,
  kNoExpiry,
  kIssuer,
  kAudience,
  kExpired,
  kTooEarly,
  kKeyUnknown,
  kSignature,
};

// A few words for people; lives for ever, holds nothing of the token.
std::string_view TextOf(TokenFault fault);

struct ServiceAccountToken {
  SignatureAlgorithm algorithm = SignatureAlgorithm::kRs256;
  std::string key_id;
  std::string issuer;
  std::vector<std::string> audiences;
  std::string account;  // `namespace/name`
  absl::Time expires;
  std::optional<absl::Time> not_before;
  std::optional<absl::Time> issued_at;
  std::string_view signed_text;  // views the token
  std::string signature;         // its bytes
};

// Reads `token`; *read is set only if that is kNone. Strict: three parts of canonical base64url, JSON without a name
// twice, whole seconds, an accepted algorithm, a key id. A header that brings or names a key of its own, or asks for
// what we do not know (`crit`), is refused, never followed. Verifies nothing. Pure.
TokenFault ReadServiceAccountToken(std::string_view token, ServiceAccountToken* read);

// What the claims must say.
struct TokenRules {
  std::string issuer;    // exactly
  std::string audience;  // among those of the token
  // How far the clocks of the issuer and of this server may be apart.
  absl::Duration clock_skew = absl::Minutes(1);
};

// Whether the claims are right at `now`, signature aside. Pure.
TokenFault CheckClaims(const ServiceAccountToken& token, const TokenRules& rules, absl::Time now);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_IDENTITY_SERVICE_ACCOUNT_TOKEN_H_
