// What happens to one webhook: authenticated, limited, translated, published, answered.
#ifndef REFUND_RELAY_SERVER_INGRESS_WEBHOOK_HANDLER_H_
#define REFUND_RELAY_SERVER_INGRESS_WEBHOOK_HANDLER_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>

#include "server/ingress/credential_store.h"
#include "server/ingress/ingress_metrics.h"
#include "server/ingress/rate_limit.h"
#include "server/ingress/request_handler.h"
#include "server/ops/clock.h"
#include "server/ops/log_limiter.h"
#include "server/stream/publisher.h"
#include "server/translate/webhook_parser.h"

namespace refund_relay {

// The handler behind the ingress's HTTP server; contract.md section 3 is what it does. Thread-safe.
//
// Never answers 2xx before the log has called back with a stored or a duplicate event, and never 4xx for a fault of
// ours. Logs one line per request, with its id, result, event id and sequence; never a body, a secret or a header's
// value. Of requests that were refused before their sender was known, at most kMostStrangerLines a second.
class WebhookHandler : public RequestHandler {
 public:
  struct Options {
    size_t max_body_bytes = 65536;
    double max_webhooks_per_second = 0;  // 0 = no limit
  };
  // All must outlive the handler.
  struct Parts {
    const CredentialStore& credentials;
    Publisher& publisher;
    IngressMetrics& metrics;
    const Clock& clock;
  };

  WebhookHandler(const Options& options, const Parts& parts, ParseFunction parse);

  std::unique_ptr<RequestExchange> NewExchange() override;
  void CountConnection(int change) override { parts_.metrics.CountConnection(change); }
  void CountRefusedConnection(PeerQuota::Verdict why) override { parts_.metrics.CountRefusedConnection(why); }
  void CountHandshake(bool completed) override { parts_.metrics.CountHandshake(completed); }

  // From now on authentic webhooks are answered 503. Those that were handed to the publisher are still answered.
  void StartDraining() { draining_.store(true, std::memory_order_relaxed); }

 private:
  class Exchange;

  static constexpr int kMostStrangerLines = 50;

  const Options options_;
  const Parts parts_;
  const ParseFunction parse_;
  RateLimit rate_limit_;
  std::atomic<bool> draining_ = false;
  LogLimiter stranger_lines_{kMostStrangerLines, absl::Seconds(1)};
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_WEBHOOK_HANDLER_H_
