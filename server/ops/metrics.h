// Metrics: the one registry of a process, and its text form for /metrics.
#ifndef REFUND_RELAY_SERVER_OPS_METRICS_H_
#define REFUND_RELAY_SERVER_OPS_METRICS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "prometheus/collectable.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace refund_relay {

// What a scrape answers as its Content-Type.
inline constexpr char kMetricsContentType[] = "text/plain; version=0.0.4; charset=utf-8";

// Owns the registry into which each folder's metrics struct registers. Thread-safe. It must outlive those structs.
class Metrics {
 public:
  Metrics();

  prometheus::Registry& registry() { return registry_; }

  // Adds a source that is asked at each scrape, for values that something else already holds. Not owned; it may go away
  // at any time. `Collect` runs on the scraping thread and must not block on storage or the network.
  void Add(std::weak_ptr<const prometheus::Collectable> source);

  // Everything in the text format 0.0.4.
  std::string Text();

 private:
  prometheus::Registry registry_;
  const std::shared_ptr<const prometheus::Collectable> process_;

  absl::Mutex mutex_;
  std::vector<std::weak_ptr<const prometheus::Collectable>> sources_ ABSL_GUARDED_BY(mutex_);
};

// A family by its name (without the prefix `refund_relay_`, which these add) and its help; a second call with the same
// name returns the same family.
prometheus::Family<prometheus::Counter>& CounterFamily(prometheus::Registry& registry, const std::string& name,
                                                       const std::string& help);
prometheus::Family<prometheus::Gauge>& GaugeFamily(prometheus::Registry& registry, const std::string& name,
                                                   const std::string& help);
prometheus::Family<prometheus::Histogram>& HistogramFamily(prometheus::Registry& registry, const std::string& name,
                                                           const std::string& help);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_METRICS_H_
