#include "server/identity/service_account_token.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/access/bearer_token.h"
#include "server/access/json_tree.h"
#include "server/identity/base64url.h"
#include "server/identity/json_web_key_set.h"

namespace refund_relay {
namespace {

constexpr std::string_view kSubjectPrefix = "system:serviceaccount:";
// Header members that bring or name a key (RFC 7515, section 4.1), that change what is signed (RFC 7797), or that must
// be understood, which we do not.
constexpr std::array<std::string_view, 7> kRefusedInHeader = {"crit", "jwk", "jku", "x5c", "x5u", "b64", "zip"};
constexpr size_t kMostTimeDigits = 12;
constexpr size_t kMostAudiences = 64;

// The object in one part of a token; unset if there is none.
std::optional<JsonValue> ObjectIn(std::string_view part) {
  const std::optional<std::string> json = DecodeBase64Url(part);
  if (!json.has_value()) return std::nullopt;
  absl::StatusOr<JsonValue> value = ReadJsonTree(*json);
  if (!value.ok() || !value->is(JsonKind::kObject)) return std::nullopt;
  return *std::move(value);
}

// The text of a member that must be a string and not empty.
std::optional<std::string> Text(const JsonValue& object, std::string_view name) {
  const JsonValue* const value = FindMember(object, name);
  if (value == nullptr || !value->is(JsonKind::kString) || value->text.empty()) return std::nullopt;
  return value->text;
}

// Whole seconds since 1970, in plain digits. False if the member is there and something else.
bool ReadTime(const JsonValue& object, std::string_view name, std::optional<absl::Time>& time) {
  const JsonValue* const value = FindMember(object, name);
  if (value == nullptr) return true;
  int64_t seconds = 0;
  if (!value->is(JsonKind::kNumber) || value->text.size() > kMostTimeDigits ||
      value->text.find_first_not_of("0123456789") != std::string::npos || !absl::SimpleAtoi(value->text, &seconds)) {
    return false;
  }
  time = absl::FromUnixSeconds(seconds);
  return true;
}

// One string, or a list of strings.
bool ReadAudiences(const JsonValue& claims, std::vector<std::string>& audiences) {
  const JsonValue* const value = FindMember(claims, "aud");
  if (value == nullptr) return true;  // for nobody, so not for us
  if (value->is(JsonKind::kString)) {
    audiences.push_back(value->text);
    return true;
  }
  if (!value->is(JsonKind::kArray) || value->items.size() > kMostAudiences) return false;
  for (const JsonValue& item : value->items) {
    if (!item.is(JsonKind::kString)) return false;
    audiences.push_back(item.text);
  }
  return true;
}

// `namespace/name` of `system:serviceaccount:namespace:name`; empty if that is something else, or if the claim of
// Kubernetes names another account.
std::string AccountOf(const JsonValue& claims) {
  const std::string subject = Text(claims, "sub").value_or("");
  if (subject.compare(0, kSubjectPrefix.size(), kSubjectPrefix) != 0) return "";
  const std::string rest = subject.substr(kSubjectPrefix.size());
  const size_t colon = rest.find(':');
  if (colon == std::string::npos || rest.find(':', colon + 1) != std::string::npos) return "";
  const std::string account_namespace = rest.substr(0, colon);
  const std::string name = rest.substr(colon + 1);
  const auto has_other = [](const std::string& text) { return text.empty() || text.find('/') != std::string::npos; };
  if (has_other(account_namespace) || has_other(name)) return "";
  if (const JsonValue* const kubernetes = FindMember(claims, "kubernetes.io"); kubernetes != nullptr) {
    const JsonValue* const account = FindMember(*kubernetes, "serviceaccount");
    if (account == nullptr || Text(*kubernetes, "namespace") != account_namespace || Text(*account, "name") != name) {
      return "";
    }
  }
  return absl::StrCat(account_namespace, "/", name);
}

TokenFault ReadHeader(const JsonValue& header, ServiceAccountToken& token) {
  for (const std::string_view name : kRefusedInHeader) {
    if (FindMember(header, name) != nullptr) return TokenFault::kHeader;
  }
  if (FindMember(header, "typ") != nullptr && Text(header, "typ") != "JWT") return TokenFault::kHeader;
  const auto algorithm = SignatureAlgorithmOf(Text(header, "alg").value_or(""));
  if (!algorithm.has_value()) return TokenFault::kAlgorithm;
  token.algorithm = *algorithm;
  std::optional<std::string> key_id = Text(header, "kid");
  if (!key_id.has_value() || key_id->size() > kMostKeyIdBytes) return TokenFault::kIllFormed;
  token.key_id = *std::move(key_id);
  return TokenFault::kNone;
}

TokenFault ReadClaims(const JsonValue& claims, ServiceAccountToken& token) {
  std::optional<absl::Time> expires;
  if (!ReadTime(claims, "exp", expires) || !ReadTime(claims, "nbf", token.not_before) ||
      !ReadTime(claims, "iat", token.issued_at) || !ReadAudiences(claims, token.audiences)) {
    return TokenFault::kIllFormed;
  }
  if (!expires.has_value()) return TokenFault::kNoExpiry;
  token.expires = *expires;
  token.issuer = Text(claims, "iss").value_or("");
  token.account = AccountOf(claims);
  return token.account.empty() ? TokenFault::kSubject : TokenFault::kNone;
}

}  // namespace

std::string_view TextOf(TokenFault fault) {
  switch (fault) {
    case TokenFault::kNone:
      return "";
    case TokenFault::kTooLong:
      return "it is too long";
    case TokenFault::kIllFormed:
      return "it is not what Kubernetes makes";
    case TokenFault::kAlgorithm:
      return "its algorithm is not accepted, or not by its key";
    case TokenFault::kHeader:
      return "its header asks for what is never trusted";
    case TokenFault::kSubject:
      return "its subject is no service account, or not that of its kubernetes.io claim";
    case TokenFault::kNoExpiry:
      return "it never expires; project one with an audience";
    case TokenFault::kIssuer:
      return "it is of another issuer";
    case TokenFault::kAudience:
      return "it is for another audience";
    case TokenFault::kExpired:
      return "it has expired";
    case TokenFault::kTooEarly:
      return "it is not valid yet; do the clocks agree?";
    case TokenFault::kKeyUnknown:
      return "its key is not known";
    case TokenFault::kSignature:
      return "its signature is wrong";
  }
  return "";
}

TokenFault ReadServiceAccountToken(std::string_view token, ServiceAccountToken* read) {
  if (token.size() > kLongestTokenBytes) return TokenFault::kTooLong;
  const size_t first = token.find('.');
  const size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos) return TokenFault::kIllFormed;
  ServiceAccountToken found;
  const std::optional<JsonValue> header = ObjectIn(token.substr(0, first));
  if (!header.has_value()) return TokenFault::kIllFormed;
  if (const TokenFault fault = ReadHeader(*header, found); fault != TokenFault::kNone) return fault;
  const std::optional<JsonValue> claims = ObjectIn(token.substr(first + 1, second - first - 1));
  // A fourth part would make this one ill-formed: a dot is not in its alphabet.
  std::optional<std::string> signature = DecodeBase64Url(token.substr(second + 1));
  if (!claims.has_value() || !signature.has_value() || signature->empty()) return TokenFault::kIllFormed;
  if (const TokenFault fault = ReadClaims(*claims, found); fault != TokenFault::kNone) return fault;
  found.signature = *std::move(signature);
  found.signed_text = token.substr(0, second);
  *read = std::move(found);
  return TokenFault::kNone;
}

TokenFault CheckClaims(const ServiceAccountToken& token, const TokenRules& rules, absl::Time now) {
  if (token.issuer != rules.issuer) return TokenFault::kIssuer;
  if (std::find(token.audiences.begin(), token.audiences.end(), rules.audience) == token.audiences.end()) {
    return TokenFault::kAudience;
  }
  if (now >= token.expires + rules.clock_skew) return TokenFault::kExpired;
  const absl::Time latest = now + rules.clock_skew;
  if (token.not_before.value_or(latest) > latest || token.issued_at.value_or(latest) > latest) {
    return TokenFault::kTooEarly;
  }
  return TokenFault::kNone;
}

}  // namespace refund_relay
