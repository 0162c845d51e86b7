#include "tests/testing/token_issuer.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"

namespace refund_relay {
namespace {

const unsigned char* Bytes(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());  // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast)
}

// r and s at their full length, as a JWT has them.
std::string PairOfDer(const std::string& der, int number_bytes) {
  const unsigned char* at = Bytes(der);
  ECDSA_SIG* const signature = d2i_ECDSA_SIG(nullptr, &at, static_cast<int64_t>(der.size()));
  EXPECT_NE(signature, nullptr);
  std::vector<unsigned char> pair(2 * static_cast<size_t>(number_bytes));
  EXPECT_EQ(BN_bn2binpad(ECDSA_SIG_get0_r(signature), pair.data(), number_bytes), number_bytes);
  EXPECT_EQ(BN_bn2binpad(ECDSA_SIG_get0_s(signature), pair.data() + number_bytes, number_bytes), number_bytes);
  ECDSA_SIG_free(signature);
  return {pair.begin(), pair.end()};
}

const EVP_MD* DigestOf(const std::string& algorithm) {
  if (algorithm.substr(2) == "384") return EVP_sha384();
  return algorithm.substr(2) == "512" ? EVP_sha512() : EVP_sha256();
}

}  // namespace

std::string Base64Url(const std::string& bytes) { return absl::WebSafeBase64Escape(bytes); }

SigningKey SigningKey::Rsa(int bits) {
  EVP_PKEY* const key = EVP_RSA_gen(static_cast<unsigned int>(bits));
  EXPECT_NE(key, nullptr);
  return SigningKey(key);
}

SigningKey SigningKey::Curve(const std::string& curve) {
  EVP_PKEY* const key = EVP_EC_gen(curve.c_str());
  EXPECT_NE(key, nullptr);
  return SigningKey(key);
}

const SigningKey& SigningKey::SharedRsa() {
  static const SigningKey key = Rsa();
  return key;
}

std::string SigningKey::Number(const char* name) const {
  BIGNUM* number = nullptr;
  EXPECT_EQ(EVP_PKEY_get_bn_param(key_.get(), name, &number), 1);
  // Coordinates have the full length of their curve.
  const bool of_curve = EVP_PKEY_is_a(key_.get(), "EC") == 1;
  const int length = of_curve ? (EVP_PKEY_get_bits(key_.get()) + 7) / 8 : BN_num_bytes(number);
  std::vector<unsigned char> bytes(static_cast<size_t>(length));
  EXPECT_EQ(BN_bn2binpad(number, bytes.data(), length), length);
  BN_free(number);
  return Base64Url({bytes.begin(), bytes.end()});
}

std::string SigningKey::Members() const {
  if (EVP_PKEY_is_a(key_.get(), "RSA") == 1) {
    return absl::StrCat(R"("kty":"RSA","n":")", Number(OSSL_PKEY_PARAM_RSA_N), R"(","e":")",
                        Number(OSSL_PKEY_PARAM_RSA_E), "\"");
  }
  return absl::StrCat(R"("kty":"EC","crv":"P-)", EVP_PKEY_get_bits(key_.get()), R"(","x":")",
                      Number(OSSL_PKEY_PARAM_EC_PUB_X), R"(","y":")", Number(OSSL_PKEY_PARAM_EC_PUB_Y), "\"");
}

std::string SigningKey::Jwk(const std::string& key_id, const std::string& more) const {
  return absl::StrCat("{", Members(), R"(,"kid":")", key_id, "\"", more, "}");
}

std::string SigningKey::Hs256(const std::string& text) const {
  BIO* const memory = BIO_new(BIO_s_mem());
  EXPECT_EQ(PEM_write_bio_PUBKEY(memory, key_.get()), 1);
  char* pem = nullptr;
  const int64_t length = BIO_get_mem_data(memory, &pem);  // NOLINT: a macro with a C cast
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int digest_length = 0;
  EXPECT_NE(HMAC(EVP_sha256(), pem, static_cast<int>(length), Bytes(text), text.size(), digest, &digest_length),
            nullptr);
  BIO_free_all(memory);
  return {digest, digest + digest_length};
}

std::string SigningKey::Sign(const std::string& algorithm, const std::string& text) const {
  if (algorithm == "none") return "";
  if (algorithm == "HS256") return Hs256(text);
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  EVP_PKEY_CTX* of_key = nullptr;
  EXPECT_EQ(EVP_DigestSignInit(context, &of_key, DigestOf(algorithm), nullptr, key_.get()), 1);
  if (algorithm[0] == 'P') {
    EXPECT_EQ(EVP_PKEY_CTX_set_rsa_padding(of_key, RSA_PKCS1_PSS_PADDING), 1);
    EXPECT_EQ(EVP_PKEY_CTX_set_rsa_pss_saltlen(of_key, RSA_PSS_SALTLEN_DIGEST), 1);
  }
  size_t length = 0;
  EXPECT_EQ(EVP_DigestSign(context, nullptr, &length, Bytes(text), text.size()), 1);
  std::vector<unsigned char> signature(length);
  EXPECT_EQ(EVP_DigestSign(context, signature.data(), &length, Bytes(text), text.size()), 1);
  EVP_MD_CTX_free(context);
  std::string bytes(signature.begin(), signature.begin() + static_cast<std::ptrdiff_t>(length));
  return EVP_PKEY_is_a(key_.get(), "EC") == 1 ? PairOfDer(bytes, (EVP_PKEY_get_bits(key_.get()) + 7) / 8) : bytes;
}

std::string KeySet(std::initializer_list<std::string> keys) {
  return absl::StrCat(R"({"keys":[)", absl::StrJoin(keys, ","), "]}");
}

std::string KubernetesClaims(absl::Time now) {
  return absl::StrReplaceAll(
      R"({"aud":["refund-relay"],"exp":EXP,"iat":NOW,"iss":"https://issuer.example","jti":"an-id","kubernetes.io":{"namespace":"payments","node":{"name":"n1","uid":"u1"},"pod":{"name":"books-0","uid":"u2"},"serviceaccount":{"name":"books","uid":"u3"}},"nbf":NOW,"sub":"system:serviceaccount:payments:books"})",
      {{"EXP", absl::StrCat(absl::ToUnixSeconds(now) + 3600)}, {"NOW", absl::StrCat(absl::ToUnixSeconds(now))}});
}

std::string MakeToken(const SigningKey& key, const TokenParts& parts) {
  const std::string text = absl::StrCat(Base64Url(parts.header), ".", Base64Url(parts.claims));
  return absl::StrCat(text, ".", Base64Url(key.Sign(parts.algorithm, text)));
}

}  // namespace refund_relay
