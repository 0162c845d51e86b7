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

// One keyed OpenSSL context per secret, reused: 905 ns for a webhook where HMAC() takes 2115. Not thread-safe: one
// instance a thread, see `OfThisThread`. Ends the process if OpenSSL offers no HMAC-SHA256: no webhook could be
// authentic then, and the sender would be told that it is its fault.
class HmacSha256 {
 public:
  // The calling thread's instance for `credentials`; made anew when their version differs from the last call's, which
  // also forgets the old secrets.
  static HmacSha256& OfThisThread(const Credentials& credentials);

  explicit HmacSha256(const std::vector<WebhookSecret>& secrets);

  size_t size() const { return contexts_.size(); }
  // The code of `bytes` under secret number `index`.
  Sha256Digest Compute(size_t index, std::string_view bytes);

 private:
  struct FreeContext {
    void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
  };
  std::vector<std::unique_ptr<EVP_MAC_CTX, FreeContext>> contexts_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_HMAC_SHA256_H_
