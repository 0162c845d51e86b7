// The log's metrics: names and values.
#include "server/log/log_metrics.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "prometheus/registry.h"
#include "server/log/memory_event_log.h"
#include "tests/testing/log_probe.h"
#include "tests/testing/manual_clock.h"

namespace refund_relay {
namespace {

// Every series by name; a histogram by its count.
std::map<std::string, double> Values(const prometheus::Registry& registry) {
  std::map<std::string, double> values;
  for (const prometheus::MetricFamily& family : registry.Collect()) {
    for (const prometheus::ClientMetric& metric : family.metric) {
      double value = metric.gauge.value;
      if (family.type == prometheus::MetricType::Counter) value = metric.counter.value;
      if (family.type == prometheus::MetricType::Histogram) value = static_cast<double>(metric.histogram.sample_count);
      values[family.name] = value;
    }
  }
  return values;
}

TEST(LogMetricsTest, AppendsAreCountedAndTheLogIsDescribed) {
  prometheus::Registry registry;
  LogMetrics metrics(registry);
  const ManualClock clock(absl::FromUnixSeconds(1'700'000'000));
  MemoryEventLog::Options options;
  options.clock = &clock;
  options.metrics = &metrics;
  MemoryEventLog log(options);
  ASSERT_TRUE(AppendAndWait(log, MakeEvent("a")).ok());
  ASSERT_TRUE(AppendAndWait(log, MakeEvent("b")).ok());
  ASSERT_TRUE(log.Close(absl::InfiniteFuture()).ok());
  metrics.Refresh(log.Info(), {.webhooks = 3, .limit = 10, .oldest_received_at = absl::FromUnixSeconds(5)},
                  DiskSpace{.free_bytes = 12'345, .size_bytes = 67'890});
  metrics.RetentionAge(absl::Hours(1));

  const auto values = Values(registry);
  EXPECT_EQ(values.at("refund_relay_append_batch_events"), 2);
  EXPECT_EQ(values.at("refund_relay_append_duration_seconds"), 2);
  EXPECT_EQ(values.at("refund_relay_append_queue_events"), 0);
  EXPECT_EQ(values.at("refund_relay_append_queue_limit_events"), static_cast<double>(kDefaultQueueLimitEvents));
  EXPECT_EQ(values.at("refund_relay_sync_failures_total"), 0);
  EXPECT_EQ(values.at("refund_relay_quarantined_webhooks"), 3);
  EXPECT_EQ(values.at("refund_relay_quarantined_webhooks_limit"), 10);
  EXPECT_EQ(values.at("refund_relay_quarantine_oldest_timestamp_seconds"), 5);
  EXPECT_EQ(values.at("refund_relay_log_first_sequence"), 1);
  EXPECT_EQ(values.at("refund_relay_log_last_sequence"), 2);
  EXPECT_EQ(values.at("refund_relay_log_bytes"), static_cast<double>(log.Info().log_bytes));
  EXPECT_EQ(values.at("refund_relay_wal_bytes"), 0);
  EXPECT_EQ(values.at("refund_relay_append_queue_bytes"), 0);
  EXPECT_EQ(values.at("refund_relay_append_queue_limit_bytes"), static_cast<double>(kDefaultQueueLimitBytes));
  EXPECT_EQ(values.at("refund_relay_data_dir_free_bytes"), 12'345);
  EXPECT_EQ(values.at("refund_relay_data_dir_size_bytes"), 67'890);
  EXPECT_EQ(values.at("refund_relay_newest_event_timestamp_seconds"), 1'700'000'000);
  EXPECT_EQ(values.at("refund_relay_retention_age_seconds"), 3600);
  EXPECT_EQ(values.at("refund_relay_oldest_event_timestamp_seconds"), 1'700'000'000);
}

}  // namespace
}  // namespace refund_relay
