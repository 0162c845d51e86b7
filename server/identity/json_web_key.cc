#include "server/identity/json_web_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/ops/openssl_free.h"

namespace refund_relay {
namespace {

constexpr int kLeastRsaBits = 2048;
constexpr int kMostRsaBits = 8192;  // a verification by a larger one costs too much
constexpr BN_ULONG kLeastRsaExponent = 65537;
constexpr int kMostExponentBits = 64;

using BigNumber = std::unique_ptr<BIGNUM, OpensslFree<BN_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, OpensslFree<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, OpensslFree<EVP_MD_CTX_free>>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, OpensslFree<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, OpensslFree<OSSL_PARAM_free>>;

const unsigned char* Bytes(std::string_view text) {
  // OpenSSL's word for a byte.
  return reinterpret_cast<const unsigned char*>(text.data());  // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast)
}

BigNumber Number(std::string_view big_endian) {
  return BigNumber(BN_bin2bn(Bytes(big_endian), static_cast<int>(big_endian.size()), nullptr));
}

// The public key of `type` that `builder` describes, checked by OpenSSL; null if it is none.
std::shared_ptr<EVP_PKEY> MakeKey(const char* type, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* made = nullptr;
  if (params == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  std::shared_ptr<EVP_PKEY> key(made, EVP_PKEY_free);
  const KeyContext check(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
  if (check == nullptr || EVP_PKEY_public_check(check.get()) != 1) return nullptr;
  return key;
}

const EVP_MD* DigestOf(SignatureAlgorithm algorithm) {
  switch (algorithm) {
    case SignatureAlgorithm::kRs384:
    case SignatureAlgorithm::kEs384:
      return EVP_sha384();
    case SignatureAlgorithm::kRs512:
      return EVP_sha512();
    case SignatureAlgorithm::kRs256:
    case SignatureAlgorithm::kPs256:
    case SignatureAlgorithm::kEs256:
      break;
  }
  return EVP_sha256();
}

// A JWT has the two numbers one after the other, each at its full length; OpenSSL wants them in DER. Empty: not so.
std::string DerOfPair(std::string_view pair, size_t number_bytes) {
  if (pair.size() != 2 * number_bytes) return "";
  BigNumber r = Number(pair.substr(0, number_bytes));
  BigNumber s = Number(pair.substr(number_bytes));
  const std::unique_ptr<ECDSA_SIG, OpensslFree<ECDSA_SIG_free>> signature(ECDSA_SIG_new());
  if (r == nullptr || s == nullptr || signature == nullptr) return "";
  if (ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) return "";
  r.release();  // NOLINT(bugprone-unused-return-value): the signature's now
  s.release();  // NOLINT(bugprone-unused-return-value)
  unsigned char* der = nullptr;
  const int length = i2d_ECDSA_SIG(signature.get(), &der);
  if (length <= 0) return "";
  std::string text(der, der + length);
  OPENSSL_free(der);
  return text;
}

size_t NumberBytes(JsonWebKey::Kind kind) { return kind == JsonWebKey::Kind::kP384 ? 48 : 32; }

}  // namespace

std::optional<SignatureAlgorithm> SignatureAlgorithmOf(std::string_view name) {
  if (name == "RS256") return SignatureAlgorithm::kRs256;
  if (name == "RS384") return SignatureAlgorithm::kRs384;
  if (name == "RS512") return SignatureAlgorithm::kRs512;
  if (name == "PS256") return SignatureAlgorithm::kPs256;
  if (name == "ES256") return SignatureAlgorithm::kEs256;
  if (name == "ES384") return SignatureAlgorithm::kEs384;
  return std::nullopt;
}

absl::StatusOr<JsonWebKey> JsonWebKey::Rsa(std::string_view modulus, std::string_view exponent) {
  // gRPC and Asio look at this thread's error queue as well.
  const absl::Cleanup no_errors_left = [] { ERR_clear_error(); };
  const BigNumber n = Number(modulus);
  const BigNumber e = Number(exponent);
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (n == nullptr || e == nullptr || builder == nullptr) return absl::InvalidArgumentError("is no RSA key");
  const int bits = BN_num_bits(n.get());
  if (bits < kLeastRsaBits || bits > kMostRsaBits) {
    return absl::InvalidArgumentError(
        absl::StrCat("is an RSA key of ", bits, " bits; ", kLeastRsaBits, " to ", kMostRsaBits, " are accepted"));
  }
  const bool small = BN_num_bits(e.get()) <= kMostExponentBits;
  if (!small || BN_is_odd(e.get()) == 0 || BN_get_word(e.get()) < kLeastRsaExponent) {
    return absl::InvalidArgumentError("is an RSA key with an exponent that is even, below 65537 or beyond 64 bits");
  }
  if (OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return absl::InternalError("OpenSSL cannot take an RSA key");
  }
  std::shared_ptr<EVP_PKEY> key = MakeKey("RSA", builder.get());
  if (key == nullptr) return absl::InvalidArgumentError("is no RSA key");
  return JsonWebKey(Kind::kRsa, std::move(key), Sha256({"rsa.", LowerHex(Sha256({modulus})), ".", exponent}));
}

absl::StatusOr<JsonWebKey> JsonWebKey::Curve(Kind kind, std::string_view x, std::string_view y) {
  const absl::Cleanup no_errors_left = [] { ERR_clear_error(); };
  const absl::Status no_point = absl::InvalidArgumentError("is no point of its curve");
  if (x.size() != NumberBytes(kind) || y.size() != NumberBytes(kind)) return no_point;
  const std::string point = absl::StrCat("\x04", absl::string_view(x.data(), x.size()),
                                         absl::string_view(y.data(), y.size()));  // uncompressed
  const char* const curve = kind == Kind::kP384 ? "P-384" : "P-256";
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (builder == nullptr || OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve, 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1) {
    return absl::InternalError("OpenSSL cannot take an EC key");
  }
  std::shared_ptr<EVP_PKEY> key = MakeKey("EC", builder.get());
  if (key == nullptr) return no_point;
  return JsonWebKey(kind, std::move(key), Sha256({curve, ".", point}));
}

bool JsonWebKey::Fits(SignatureAlgorithm algorithm) const {
  switch (algorithm) {
    case SignatureAlgorithm::kRs256:
    case SignatureAlgorithm::kRs384:
    case SignatureAlgorithm::kRs512:
    case SignatureAlgorithm::kPs256:
      return kind_ == Kind::kRsa;
    case SignatureAlgorithm::kEs256:
      return kind_ == Kind::kP256;
    case SignatureAlgorithm::kEs384:
      return kind_ == Kind::kP384;
  }
  return false;
}

bool JsonWebKey::Verifies(SignatureAlgorithm algorithm, std::string_view text, std::string_view signature) const {
  if (!Fits(algorithm)) return false;
  const absl::Cleanup no_errors_left = [] { ERR_clear_error(); };
  std::string der;
  if (kind_ != Kind::kRsa) {
    der = DerOfPair(signature, NumberBytes(kind_));
    if (der.empty()) return false;
    signature = der;
  }
  const DigestContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* of_key = nullptr;  // the digest context's
  if (context == nullptr ||
      EVP_DigestVerifyInit(context.get(), &of_key, DigestOf(algorithm), nullptr, key_.get()) != 1) {
    return false;
  }
  if (algorithm == SignatureAlgorithm::kPs256 &&
      (EVP_PKEY_CTX_set_rsa_padding(of_key, RSA_PKCS1_PSS_PADDING) != 1 ||
       EVP_PKEY_CTX_set_rsa_pss_saltlen(of_key, RSA_PSS_SALTLEN_DIGEST) != 1)) {
    return false;
  }
  return EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(text), text.size()) == 1;
}

}  // namespace refund_relay
