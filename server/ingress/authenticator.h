// Tells authentic webhooks from others, before anything of them is parsed.
#ifndef REFUND_RELAY_SERVER_INGRESS_AUTHENTICATOR_H_
#define REFUND_RELAY_SERVER_INGRESS_AUTHENTICATOR_H_

#include <string_view>

#include "server/ingress/credentials.h"
#include "server/ingress/request_head.h"

namespace refund_relay {

// The value of WWW-Authenticate in a 401.
inline constexpr std::string_view kAuthenticateChallenge = "Basic realm=\"refund-relay\", charset=\"UTF-8\"";

enum class AuthenticationMethod { kNone, kSignature, kBasic };
enum class AuthenticationResult { kAuthentic, kAbsent, kIllFormed, kWrong };

// Labels of authentication_total.
std::string_view AuthenticationMethodName(AuthenticationMethod method);
std::string_view AuthenticationResultName(AuthenticationResult result);

// What a request's head says about who sent it. A signature counts before Basic: one that is present must be right.
struct AuthenticationClaim {
  AuthenticationMethod method = AuthenticationMethod::kNone;
  AuthenticationResult result = AuthenticationResult::kAbsent;  // kAuthentic: well-formed, to be verified
  std::string_view detail;                                      // why it is absent or ill-formed; lives for ever
  Sha256Digest code{};                                          // the signature, or the digest of `user:password`
};

struct Authentication {
  AuthenticationMethod method = AuthenticationMethod::kNone;
  AuthenticationResult result = AuthenticationResult::kWrong;
  std::string_view key;  // which credential matched, `<file base name>:<line>`; lives as long as the credentials
};

// First step, on the head alone: X-Conscent-Signature (the lower-case hex HMAC-SHA256 of the raw body), else HTTP
// Basic. Either of them twice is ill-formed. A pure function.
AuthenticationClaim ReadAuthenticationClaim(const RequestHead& head);

// Second step, on a well-formed claim and the raw body. All credentials are tried and compared in constant time, so
// that the time taken tells nothing about them. Thread-safe; keeps OpenSSL contexts per thread.
Authentication VerifyAuthenticationClaim(const AuthenticationClaim& claim, std::string_view body,
                                         const Credentials& credentials);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_AUTHENTICATOR_H_
