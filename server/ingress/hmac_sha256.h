// HMAC-SHA256 under a fixed set of secrets.
#ifndef REFUND_RELAY_SERVER_INGRESS_HMAC_SHA256_H_
#define REFUND_RELAY_SERVER_INGRESS_HMAC_SHA256_H_

#include <openssl/evp.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "server/ingress/credentials.h"

namespace refund_relay {

// One keyed OpenSSL context per secret, reused: less than half the cost of HMAC() for a webhook (905 ns against
// 2115 ns). Not thread-safe: one instance a thread, see `OfThisThread`.
class HmacSha256 {
 public:
  // The calling thread's instance for `credentials`; made anew when their version differs from the last call's, which
  // also forgets the old secrets.
  static HmacSha256& OfThisThread(const Credentials& credentials);

  explicit HmacSha256(const std::vector<WebhookSecret>& secrets);

  size_t size() const { return contexts_.size(); }
  // The code of `bytes` under secret number `index`. False only if OpenSSL fails.
  bool Compute(size_t index, std::string_view bytes, Sha256Digest& code);

 private:
  struct FreeContext {
    void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
  };
  std::vector<std::unique_ptr<EVP_MAC_CTX, FreeContext>> contexts_;  // null if OpenSSL refused
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_HMAC_SHA256_H_
