// Makes signing keys and tokens as Kubernetes does, and as nobody should, by OpenSSL.
#ifndef REFUND_RELAY_TESTS_TESTING_TOKEN_ISSUER_H_
#define REFUND_RELAY_TESTS_TESTING_TOKEN_ISSUER_H_

#include <openssl/evp.h>

#include <initializer_list>
#include <memory>
#include <string>

#include "absl/time/time.h"

namespace refund_relay {

std::string Base64Url(const std::string& bytes);

// A pair of keys. Fails the test when OpenSSL does. Thread-safe as it never changes.
class SigningKey {
 public:
  static SigningKey Rsa(int bits = 2048);
  // `curve` as OpenSSL names it: P-256, P-384, P-521.
  static SigningKey Curve(const std::string& curve);
  // One RSA key for all tests that need just any: making one is slow.
  static const SigningKey& SharedRsa();

  // The members of the public key in a key set: `"kty":"RSA","n":...` or `"kty":"EC","crv":...`.
  std::string Members() const;
  // A whole member of the set, with a `kid`; `more` begins with a comma.
  std::string Jwk(const std::string& key_id, const std::string& more = "") const;
  // What `algorithm` (RS256 and the like, HS256 with the public key's PEM as secret, or none) makes of `text`.
  std::string Sign(const std::string& algorithm, const std::string& text) const;

 private:
  explicit SigningKey(EVP_PKEY* key) : key_(key, EVP_PKEY_free) {}
  std::string Number(const char* name) const;
  std::string Hs256(const std::string& text) const;

  std::shared_ptr<EVP_PKEY> key_;
};

// `{"keys":[...]}`.
std::string KeySet(std::initializer_list<std::string> keys);

// A token's parts before they are encoded and signed; by default what Kubernetes would project.
struct TokenParts {
  std::string algorithm = "RS256";
  std::string header = R"({"alg":"RS256","kid":"key-1"})";
  std::string claims;
};

// What Kubernetes puts in: made for `payments/books` by `https://issuer.example` for the audience `refund-relay`, from
// `now` on for an hour.
std::string KubernetesClaims(absl::Time now);

std::string MakeToken(const SigningKey& key, const TokenParts& parts);

}  // namespace refund_relay

#endif  // REFUND_RELAY_TESTS_TESTING_TOKEN_ISSUER_H_
