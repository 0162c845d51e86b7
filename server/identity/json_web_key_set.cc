#include "server/identity/json_web_key_set.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/access/json_tree.h"
#include "server/identity/base64url.h"

namespace refund_relay {
namespace {

absl::Status Wrong(absl::string_view at, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(at, at.empty() ? "" : ": ", problem));
}

// The text of a member that is a string; unset if it is absent or something else.
std::optional<std::string_view> Text(const JsonValue& object, std::string_view name) {
  const JsonValue* const value = FindMember(object, name);
  if (value == nullptr || !value->is(JsonKind::kString)) return std::nullopt;
  return value->text;
}

// Whether the key is there to verify signatures.
bool IsForSignatures(const JsonValue& key) {
  if (FindMember(key, "use") != nullptr && Text(key, "use") != "sig") return false;
  const JsonValue* const operations = FindMember(key, "key_ops");
  if (operations == nullptr) return true;
  return std::any_of(operations->items.begin(), operations->items.end(), [](const JsonValue& operation) {
    return operation.is(JsonKind::kString) && operation.text == "verify";
  });
}

absl::StatusOr<std::string> Bytes(const JsonValue& key, std::string_view name) {
  const auto text = Text(key, name);
  std::optional<std::string> bytes;
  if (text.has_value()) bytes = DecodeBase64Url(*text);
  if (!bytes.has_value() || bytes->empty()) {
    return absl::InvalidArgumentError(absl::StrCat("must have `", std::string(name), "` in base64url"));
  }
  return *std::move(bytes);
}

absl::StatusOr<JsonWebKey> ReadRsa(const JsonValue& key) {
  const auto modulus = Bytes(key, "n");
  if (!modulus.ok()) return modulus.status();
  const auto exponent = Bytes(key, "e");
  if (!exponent.ok()) return exponent.status();
  return JsonWebKey::Rsa(*modulus, *exponent);
}

absl::StatusOr<JsonWebKey> ReadCurve(JsonWebKey::Kind kind, const JsonValue& key) {
  const auto x = Bytes(key, "x");
  if (!x.ok()) return x.status();
  const auto y = Bytes(key, "y");
  if (!y.ok()) return y.status();
  return JsonWebKey::Curve(kind, *x, *y);
}

// Unset: of a kind that is left out.
absl::StatusOr<std::optional<JsonWebKey>> ReadKey(const JsonValue& key) {
  const auto type = Text(key, "kty");
  if (!type.has_value()) return absl::InvalidArgumentError("must have `kty`, a string");
  std::optional<absl::StatusOr<JsonWebKey>> read;
  if (*type == "RSA") {
    read = ReadRsa(key);
  } else if (*type == "EC" && Text(key, "crv") == "P-256") {
    read = ReadCurve(JsonWebKey::Kind::kP256, key);
  } else if (*type == "EC" && Text(key, "crv") == "P-384") {
    read = ReadCurve(JsonWebKey::Kind::kP384, key);
  }
  if (!read.has_value()) return std::nullopt;
  if (!read->ok()) return read->status();
  return **read;
}

absl::Status AddKey(const JsonValue& value, JsonWebKeySet& set) {
  if (!value.is(JsonKind::kObject)) return absl::InvalidArgumentError("must be an object");
  for (const std::string_view secret : {"d", "p", "q", "k"}) {
    if (FindMember(value, secret) == nullptr) continue;
    return absl::InvalidArgumentError("holds a private or shared key; publish the public part only, and replace it");
  }
  const auto id = Text(value, "kid");
  if (!id.has_value() || id->empty() || id->size() > kMostKeyIdBytes || !IsForSignatures(value)) {
    return absl::OkStatus();
  }
  std::optional<SignatureAlgorithm> only;
  if (FindMember(value, "alg") != nullptr) {
    only = SignatureAlgorithmOf(Text(value, "alg").value_or(""));
    if (!only.has_value()) return absl::OkStatus();
  }
  const auto key = ReadKey(value);
  if (!key.ok()) return key.status();
  if (!key->has_value() || (only.has_value() && !(*key)->Fits(*only))) return absl::OkStatus();
  if (!set.try_emplace(std::string(*id), TrustedKey{**key, only}).second) {
    return absl::InvalidArgumentError("has the `kid` of another key in the set");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<JsonWebKeySet> ReadJsonWebKeySet(std::string_view json) {
  const absl::StatusOr<JsonValue> root = ReadJsonTree(json);
  if (!root.ok()) return Wrong("", absl::StrCat("is not JSON: ", root.status().message()));
  const JsonValue* const keys = root->is(JsonKind::kObject) ? FindMember(*root, "keys") : nullptr;
  if (keys == nullptr || !keys->is(JsonKind::kArray)) {
    return Wrong("", "is no set of JSON Web Keys: an object with the list `keys` is expected");
  }
  if (keys->items.size() > kMostJsonWebKeys) {
    return Wrong("/keys", absl::StrCat("has more than ", kMostJsonWebKeys, " keys; is it the right set?"));
  }
  JsonWebKeySet set;
  for (size_t i = 0; i < keys->items.size(); ++i) {
    const absl::Status added = AddKey(keys->items[i], set);
    if (!added.ok()) return Wrong(absl::StrCat("/keys/", i), added.message());
  }
  if (set.empty()) {
    return Wrong("/keys", "holds no key that can be used: RSA, P-256 or P-384 with a `kid`, to verify signatures");
  }
  return set;
}

}  // namespace refund_relay
