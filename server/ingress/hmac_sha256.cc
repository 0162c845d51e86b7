#include "server/ingress/hmac_sha256.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "server/ingress/credentials.h"

namespace refund_relay {
namespace {

[[noreturn]] void Fail() {
  std::fputs("refund-relay: OpenSSL offers no HMAC-SHA256; install its default provider\n", stderr);
  std::abort();
}

}  // namespace

HmacSha256::HmacSha256(const std::vector<WebhookSecret>& secrets) {
  EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  char digest[] = "SHA256";
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                               OSSL_PARAM_construct_end()};
  for (const WebhookSecret& secret : secrets) {
    std::unique_ptr<EVP_MAC_CTX, FreeContext> context(mac == nullptr ? nullptr : EVP_MAC_CTX_new(mac));
    const std::string_view text = secret.secret.view();
    const auto* key = reinterpret_cast<const unsigned char*>(text.data());
    if (context == nullptr || EVP_MAC_init(context.get(), key, text.size(), params) != 1) Fail();
    contexts_.push_back(std::move(context));
  }
  EVP_MAC_free(mac);
}

Sha256Digest HmacSha256::Compute(size_t index, std::string_view bytes) {
  EVP_MAC_CTX* const context = contexts_[index].get();
  Sha256Digest code;
  size_t size = 0;
  if (EVP_MAC_init(context, nullptr, 0, nullptr) != 1 ||
      EVP_MAC_update(context, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()) != 1 ||
      EVP_MAC_final(context, code.data(), &size, code.size()) != 1 || size != code.size()) {
    Fail();
  }
  return code;
}

std::unique_ptr<HmacSha256> HmacPool::Take(const std::vector<WebhookSecret>& secrets) const {
  {
    absl::MutexLock lock(&mutex_);
    if (!free_.empty()) {
      std::unique_ptr<HmacSha256> hmac = std::move(free_.back());
      free_.pop_back();
      return hmac;
    }
  }
  return std::make_unique<HmacSha256>(secrets);
}

void HmacPool::Return(std::unique_ptr<HmacSha256> hmac) const {
  absl::MutexLock lock(&mutex_);
  free_.push_back(std::move(hmac));
}

}  // namespace refund_relay
