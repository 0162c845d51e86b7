#include "server/ingress/authenticator.h"

#include <openssl/crypto.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "server/ingress/hmac_sha256.h"
#include "server/ops/secret_text.h"

namespace refund_relay {
namespace {

constexpr std::string_view kSignatureField = "X-Conscent-Signature";
constexpr std::string_view kAuthorizationField = "Authorization";
constexpr std::string_view kBasicScheme = "Basic ";

int LowerHexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool ParseLowerHex(std::string_view text, Sha256Digest& out) {
  if (text.size() != 2 * out.size()) return false;
  for (size_t i = 0; i < out.size(); ++i) {
    const int high = LowerHexDigit(text[2 * i]);
    const int low = LowerHexDigit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

AuthenticationClaim IllFormed(AuthenticationMethod method, std::string_view detail) {
  return {method, AuthenticationResult::kIllFormed, detail, {}};
}

AuthenticationClaim ReadSignature(const RequestHead& head) {
  if (head.Count(kSignatureField) > 1) {
    return IllFormed(AuthenticationMethod::kSignature, "X-Conscent-Signature is there more than once");
  }
  AuthenticationClaim claim{AuthenticationMethod::kSignature, AuthenticationResult::kAuthentic, {}, {}};
  if (!ParseLowerHex(head.Value(kSignatureField), claim.code)) {
    return IllFormed(AuthenticationMethod::kSignature, "X-Conscent-Signature must be 64 lower-case hex digits");
  }
  return claim;
}

AuthenticationClaim ReadBasic(const RequestHead& head) {
  constexpr std::string_view kWanted = "Authorization must be `Basic` with the Base64 of user:password";
  if (head.Count(kAuthorizationField) > 1) {
    return IllFormed(AuthenticationMethod::kBasic, "Authorization is there more than once");
  }
  const std::string_view value = head.Value(kAuthorizationField);
  if (!absl::StartsWithIgnoreCase(absl::string_view(value.data(), value.size()),
                                  absl::string_view(kBasicScheme.data(), kBasicScheme.size()))) {
    return IllFormed(AuthenticationMethod::kBasic, kWanted);
  }
  const absl::string_view encoded =
      absl::StripLeadingAsciiWhitespace(absl::string_view(value.data(), value.size()).substr(kBasicScheme.size()));
  std::string pair;
  const absl::Cleanup wipe = [&pair] { Wipe(pair); };
  if (!absl::Base64Unescape(encoded, &pair) || pair.find(':') == std::string::npos) {
    return IllFormed(AuthenticationMethod::kBasic, kWanted);
  }
  return {AuthenticationMethod::kBasic, AuthenticationResult::kAuthentic, {}, Sha256({pair})};
}

bool EqualInConstantTime(const Sha256Digest& a, const Sha256Digest& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

std::string_view AuthenticationMethodName(AuthenticationMethod method) {
  switch (method) {
    case AuthenticationMethod::kNone:
      return "none";
    case AuthenticationMethod::kSignature:
      return "signature";
    case AuthenticationMethod::kBasic:
      return "basic";
  }
  return "none";
}

std::string_view AuthenticationResultName(AuthenticationResult result) {
  switch (result) {
    case AuthenticationResult::kAuthentic:
      return "authentic";
    case AuthenticationResult::kAbsent:
      return "absent";
    case AuthenticationResult::kIllFormed:
      return "ill_formed";
    case AuthenticationResult::kWrong:
      return "wrong";
  }
  return "wrong";
}

AuthenticationClaim ReadAuthenticationClaim(const RequestHead& head) {
  if (head.Count(kSignatureField) > 0) return ReadSignature(head);
  if (head.Count(kAuthorizationField) > 0) return ReadBasic(head);
  AuthenticationClaim claim;
  claim.detail = "neither X-Conscent-Signature nor Authorization is there";
  return claim;
}

Authentication VerifyAuthenticationClaim(const AuthenticationClaim& claim, std::string_view body,
                                         const Credentials& credentials) {
  Authentication found{claim.method, AuthenticationResult::kWrong, {}};
  const auto match = [&found](const std::string& key) {
    if (found.result == AuthenticationResult::kAuthentic) return;  // two equal credentials: the first one counts
    found.result = AuthenticationResult::kAuthentic;
    found.key = key;
  };
  if (claim.method == AuthenticationMethod::kSignature) {
    std::unique_ptr<HmacSha256> hmac = credentials.hmacs.Take(credentials.secrets);
    for (size_t i = 0; i < hmac->size(); ++i) {
      if (EqualInConstantTime(hmac->Compute(i, body), claim.code)) match(credentials.secrets[i].key);
    }
    credentials.hmacs.Return(std::move(hmac));
  } else if (claim.method == AuthenticationMethod::kBasic) {
    for (const BasicPair& pair : credentials.basic_pairs) {
      if (EqualInConstantTime(pair.digest, claim.code)) match(pair.key);
    }
  }
  return found;
}

}  // namespace refund_relay
