// The log's metrics.
#ifndef REFUND_RELAY_SERVER_LOG_LOG_METRICS_H_
#define REFUND_RELAY_SERVER_LOG_LOG_METRICS_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "server/log/data_dir.h"
#include "server/log/event_log.h"
#include "server/log/quarantine.h"

namespace refund_relay {

// Thread-safe. All series exist from the start, so that an alert on a counter sees its first rise.
class LogMetrics {
 public:
  // `registry` must outlive this.
  explicit LogMetrics(prometheus::Registry& registry);

  // A batch of `events` went through one commit, whatever its outcome.
  void Committed(size_t events);
  // An append was answered this long after it came.
  void Answered(absl::Duration since_append);
  void SyncFailed();

  // How old events become; zero = for ever.
  void RetentionAge(absl::Duration age);
  // Whether retention does not trust the clock.
  void RetentionPaused(bool paused);
  // Retention deleted so many.
  void Trimmed(size_t events, size_t ids);

  // Sets the gauges from what the log holds; call it before each scrape. `data_dir` is unset where the log has no
  // directory.
  void Refresh(const LogInfo& info, const QuarantineInfo& quarantine, std::optional<DiskSpace> data_dir);

 private:
  prometheus::Histogram& append_batch_events_;
  prometheus::Histogram& append_duration_seconds_;
  prometheus::Counter& sync_failures_total_;
  prometheus::Gauge& append_queue_events_;
  prometheus::Gauge& append_queue_limit_events_;
  prometheus::Gauge& append_queue_bytes_;
  prometheus::Gauge& append_queue_limit_bytes_;
  prometheus::Gauge& log_first_sequence_;
  prometheus::Gauge& log_last_sequence_;
  prometheus::Gauge& log_bytes_;
  prometheus::Gauge& wal_bytes_;
  prometheus::Gauge& data_dir_free_bytes_;
  prometheus::Gauge& data_dir_size_bytes_;
  prometheus::Gauge& oldest_event_timestamp_seconds_;
  prometheus::Gauge& newest_event_timestamp_seconds_;
  prometheus::Gauge& retention_age_seconds_;
  prometheus::Gauge& retention_paused_;
  prometheus::Counter& trimmed_events_total_;
  prometheus::Counter& forgotten_ids_total_;
  prometheus::Gauge& quarantined_webhooks_;
  prometheus::Gauge& quarantined_webhooks_limit_;
  prometheus::Gauge& quarantine_oldest_timestamp_seconds_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_LOG_METRICS_H_
