// WebhookRequests: signed webhooks of refunds that were never sent before, as whole HTTP requests.
#ifndef REFUND_RELAY_TESTS_BENCH_WEBHOOK_REQUESTS_H_
#define REFUND_RELAY_TESTS_BENCH_WEBHOOK_REQUESTS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "server/ingress/hmac_sha256.h"

namespace refund_relay::bench {

// The vendor's sample of a pass, without white space between its members as the vendor sends it, with the times of
// construction. Each request differs from the last in the refund's id, which grows with time as the vendor's ids do,
// and in the signature. Not thread-safe.
class WebhookRequests {
 public:
  WebhookRequests(std::string_view host, std::string_view path, std::string_view secret);

  // A request for a new refund; valid until the next call.
  std::string_view Next();
  // The id of that refund.
  std::string_view refund_id() const { return std::string_view(request_).substr(id_at_, kIdBytes); }

 private:
  static constexpr size_t kIdBytes = 24;

  HmacSha256 hmac_;
  const uint32_t process_;  // tells the ids of two processes apart
  uint32_t count_ = 0;
  std::string request_;  // of constant length: only the id and the signature are written anew
  size_t signature_at_ = 0;
  size_t body_at_ = 0;
  size_t id_at_ = 0;
};

}  // namespace refund_relay::bench

#endif  // REFUND_RELAY_TESTS_BENCH_WEBHOOK_REQUESTS_H_
