// The metrics of the ingress.
#ifndef REFUND_RELAY_SERVER_INGRESS_INGRESS_METRICS_H_
#define REFUND_RELAY_SERVER_INGRESS_INGRESS_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/ingress/authenticator.h"
#include "server/ingress/http_status_table.h"
#include "server/ops/peer_quota.h"

namespace refund_relay {

// Thread-safe. `registry` must outlive it.
class IngressMetrics {
 public:
  explicit IngressMetrics(prometheus::Registry& registry);

  // A request was answered at `now`, `duration` after its first byte.
  void CountWebhook(WebhookResult result, absl::Time now, absl::Duration duration);
  // Requests answered `accepted` so far.
  uint64_t AcceptedAnswers() const;
  // `key` is empty if no credential matched; its label is `none` then.
  void CountAuthentication(AuthenticationMethod method, AuthenticationResult result, std::string_view key)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // `field` is a name from the schema, or `other`.
  void CountSchemaDrift(std::string_view field);
  void CountConnection(int change) { connections_.Increment(change); }
  void CountRefusedConnection(PeerQuota::Verdict why) {
    refused_connections_[why == PeerQuota::Verdict::kFullForPeer]->Increment();
  }
  void CountHandshake(bool completed) { handshakes_[completed]->Increment(); }

 private:
  struct OfResult {
    prometheus::Counter* count;
    prometheus::Gauge* last;
  };

  std::vector<OfResult> results_;  // by WebhookResult; constant after construction
  prometheus::Histogram& duration_;
  prometheus::Family<prometheus::Counter>& authentication_;
  prometheus::Family<prometheus::Counter>& schema_drift_;
  prometheus::Gauge& connections_;
  prometheus::Counter* refused_connections_[2];  // in all, of one peer
  prometheus::Counter* handshakes_[2];           // failed, completed

  // Saves building a label set for every webhook. Bounded by the lines of the credential files.
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, prometheus::Counter*> authentic_by_key_[3] ABSL_GUARDED_BY(mutex_);  // by method
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_INGRESS_METRICS_H_
