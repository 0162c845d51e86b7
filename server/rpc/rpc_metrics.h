// The streams' metrics.
#ifndef REFUND_RELAY_SERVER_RPC_RPC_METRICS_H_
#define REFUND_RELAY_SERVER_RPC_RPC_METRICS_H_

#include <prometheus/collectable.h>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/registry.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/stream/fan_out.h"

namespace refund_relay {

// What one open stream shows to the metrics. Written by the stream's thread, read by scrapes.
struct StreamStats {
  std::string label;                   // the subscriber's name, or `other`
  std::atomic<uint64_t> position = 0;  // everything up to this sequence was examined
  prometheus::Counter* delivered = nullptr;
};

// Thread-safe. Gauges about open streams are computed at scrape.
class RpcMetrics final : public prometheus::Collectable {
 public:
  // Names beyond this many are counted together as `other`, so that strangers cannot fill Prometheus.
  static constexpr size_t kMaxSubscriberLabels = 200;

  // Both must outlive the metrics.
  RpcMetrics(prometheus::Registry& registry, const FanOut& fan_out);

  std::shared_ptr<StreamStats> StreamOpened(const std::string& subscriber_name, uint64_t position);
  void StreamClosed(const std::shared_ptr<StreamStats>& stats);
  void SlowSubscriber() { slow_subscribers_.Increment(); }

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const FanOut& fan_out_;
  prometheus::Family<prometheus::Counter>& delivered_;
  prometheus::Counter& slow_subscribers_;
  mutable absl::Mutex mutex_;
  std::set<std::string> labels_ ABSL_GUARDED_BY(mutex_);
  std::set<std::shared_ptr<StreamStats>> streams_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_RPC_METRICS_H_
