// Metrics: the one registry of a process, and its text form for /metrics.
#ifndef REFUND_RELAY_SERVER_OPS_METRICS_H_
#define REFUND_RELAY_SERVER_OPS_METRICS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "prometheus/collectable.h"
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

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_METRICS_H_
