// How: the algorithm is fetched once and each thread keeps its context, because OpenSSL 3 spends more on a fetch and a
// context than on hashing a webhook.
#include "server/translate/sha256.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace refund_relay {
namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

[[noreturn]] void Fail() {
  std::fputs("refund-relay: OpenSSL offers no SHA-256; install its default provider\n", stderr);
  std::abort();
}

}  // namespace

Sha256Digest Sha256(std::initializer_list<std::string_view> parts) {
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  thread_local const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  Sha256Digest digest;
  if (algorithm == nullptr || context == nullptr || EVP_DigestInit_ex(context.get(), algorithm, nullptr) != 1) Fail();
  for (const std::string_view part : parts) {
    if (EVP_DigestUpdate(context.get(), part.data(), part.size()) != 1) Fail();
  }
  if (EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) != 1) Fail();
  return digest;
}

std::string LowerHex(const Sha256Digest& digest, size_t bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * bytes);
  for (size_t i = 0; i < std::min(bytes, digest.size()); ++i) {
    hex += kDigits[digest[i] >> 4];
    hex += kDigits[digest[i] & 15];
  }
  return hex;
}

}  // namespace refund_relay
