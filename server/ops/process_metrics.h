// ProcessMetrics: what the kernel knows of this process, under the names that every Prometheus client uses.
#ifndef REFUND_RELAY_SERVER_OPS_PROCESS_METRICS_H_
#define REFUND_RELAY_SERVER_OPS_PROCESS_METRICS_H_

#include <vector>

#include "prometheus/collectable.h"
#include "prometheus/metric_family.h"

namespace refund_relay {

// Thread-safe: without state. Reads /proc/self; a value that cannot be read is left out.
class ProcessMetrics final : public prometheus::Collectable {
 public:
  // process_cpu_seconds_total, process_open_fds, process_max_fds, process_resident_memory_bytes,
  // process_virtual_memory_bytes, process_start_time_seconds, process_threads.
  std::vector<prometheus::MetricFamily> Collect() const override;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_PROCESS_METRICS_H_
