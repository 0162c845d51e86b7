#include "server/log/log_metrics.h"

#include <string>

namespace refund_relay {
namespace {

using prometheus::Histogram;

prometheus::Gauge& AddGauge(prometheus::Registry& registry, const std::string& name, const std::string& help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Counter& AddCounter(prometheus::Registry& registry, const std::string& name, const std::string& help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

Histogram& AddHistogram(prometheus::Registry& registry, const std::string& name, const std::string& help,
                        const Histogram::BucketBoundaries& boundaries) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, boundaries);
}

double SecondsOf(std::optional<absl::Time> time) {
  return time.has_value() ? absl::ToDoubleSeconds(*time - absl::UnixEpoch()) : 0;
}

}  // namespace

LogMetrics::LogMetrics(prometheus::Registry& registry)
    : append_batch_events_(AddHistogram(registry, "refund_relay_append_batch_events", "Writes that shared one commit.",
                                        {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024})),
      append_duration_seconds_(
          AddHistogram(registry, "refund_relay_append_duration_seconds", "From an append to its answer.",
                       {0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5})),
      sync_failures_total_(AddCounter(registry, "refund_relay_sync_failures_total",
                                      "Failed syncs; the server stops after the first one.")),
      append_queue_events_(
          AddGauge(registry, "refund_relay_append_queue_events", "Appends that wait for their answer.")),
      append_queue_limit_events_(AddGauge(registry, "refund_relay_append_queue_limit_events",
                                          "Waiting appends at which webhooks are refused.")),
      append_queue_bytes_(AddGauge(registry, "refund_relay_append_queue_bytes", "Bytes of the appends that wait.")),
      append_queue_limit_bytes_(
          AddGauge(registry, "refund_relay_append_queue_limit_bytes", "Waiting bytes at which webhooks are refused.")),
      log_first_sequence_(
          AddGauge(registry, "refund_relay_log_first_sequence", "Sequence of the oldest event stored.")),
      log_last_sequence_(AddGauge(registry, "refund_relay_log_last_sequence", "Sequence of the newest event stored.")),
      log_bytes_(AddGauge(registry, "refund_relay_log_bytes", "Size of the database file.")),
      wal_bytes_(AddGauge(registry, "refund_relay_wal_bytes",
                          "Size of the write-ahead log; grows while a reader or backup lasts.")),
      data_dir_free_bytes_(
          AddGauge(registry, "refund_relay_data_dir_free_bytes", "Free space where the log is stored.")),
      data_dir_size_bytes_(
          AddGauge(registry, "refund_relay_data_dir_size_bytes", "Size of the file system where the log is stored.")),
      oldest_event_timestamp_seconds_(AddGauge(registry, "refund_relay_oldest_event_timestamp_seconds",
                                               "When the oldest stored event was stored; 0 when there is none.")),
      newest_event_timestamp_seconds_(
          AddGauge(registry, "refund_relay_newest_event_timestamp_seconds",
                   "When the newest event was stored, before a restart too; 0 when none ever was.")),
      retention_age_seconds_(AddGauge(registry, "refund_relay_retention_age_seconds",
                                      "--retention_age: how old events become; 0 = for ever.")),
      retention_paused_(AddGauge(registry, "refund_relay_retention_paused",
                                 "1 while retention deletes nothing because the clock cannot be trusted.")),
      trimmed_events_total_(
          AddCounter(registry, "refund_relay_trimmed_events_total", "Events that retention has deleted.")),
      forgotten_ids_total_(AddCounter(registry, "refund_relay_forgotten_ids_total",
                                      "Ids of deleted events that --dedupe_age has made unknown again.")),
      quarantined_webhooks_(
          AddGauge(registry, "refund_relay_quarantined_webhooks", "Webhooks in quarantine, for a person to decide.")),
      quarantined_webhooks_limit_(AddGauge(registry, "refund_relay_quarantined_webhooks_limit",
                                           "Webhooks in quarantine at which the next is refused.")),
      quarantine_oldest_timestamp_seconds_(
          AddGauge(registry, "refund_relay_quarantine_oldest_timestamp_seconds",
                   "When the oldest webhook in quarantine came; 0 when there is none.")) {}

void LogMetrics::Committed(size_t events) { append_batch_events_.Observe(static_cast<double>(events)); }

void LogMetrics::Answered(absl::Duration since_append) {
  append_duration_seconds_.Observe(absl::ToDoubleSeconds(since_append));
}

void LogMetrics::SyncFailed() { sync_failures_total_.Increment(); }

void LogMetrics::RetentionAge(absl::Duration age) { retention_age_seconds_.Set(absl::ToDoubleSeconds(age)); }

void LogMetrics::RetentionPaused(bool paused) { retention_paused_.Set(paused ? 1 : 0); }

void LogMetrics::Trimmed(size_t events, size_t ids) {
  trimmed_events_total_.Increment(static_cast<double>(events));
  forgotten_ids_total_.Increment(static_cast<double>(ids));
}

void LogMetrics::Refresh(const LogInfo& info, const QuarantineInfo& quarantine, std::optional<DiskSpace> data_dir) {
  append_queue_events_.Set(static_cast<double>(info.queued_events));
  append_queue_limit_events_.Set(static_cast<double>(info.queue_limit_events));
  append_queue_bytes_.Set(static_cast<double>(info.queued_bytes));
  append_queue_limit_bytes_.Set(static_cast<double>(info.queue_limit_bytes));
  log_first_sequence_.Set(static_cast<double>(info.first_sequence));
  log_last_sequence_.Set(static_cast<double>(info.last.sequence));
  log_bytes_.Set(static_cast<double>(info.log_bytes));
  wal_bytes_.Set(static_cast<double>(info.wal_bytes));
  if (data_dir.has_value()) {
    data_dir_free_bytes_.Set(static_cast<double>(data_dir->free_bytes));
    data_dir_size_bytes_.Set(static_cast<double>(data_dir->size_bytes));
  }
  oldest_event_timestamp_seconds_.Set(SecondsOf(info.first_stored_at));
  newest_event_timestamp_seconds_.Set(SecondsOf(info.last_stored_at));
  quarantined_webhooks_.Set(static_cast<double>(quarantine.webhooks));
  quarantined_webhooks_limit_.Set(static_cast<double>(quarantine.limit));
  quarantine_oldest_timestamp_seconds_.Set(SecondsOf(quarantine.oldest_received_at));
}

}  // namespace refund_relay
