// The metrics page: its format, sources that come and go, the process's own values.
#include "server/ops/metrics.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "server/ops/ops_metrics.h"
#include "server/ops/version.h"

namespace refund_relay {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::Not;

// The value of the sample that `name` (with its labels) stands for; the test fails if there is not exactly one.
double Sample(const std::string& text, const std::string& name) {
  std::vector<double> values;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(text, '\n'))) {
    double value = 0;
    if (line.starts_with(name + " ") && absl::SimpleAtod(line.substr(name.size() + 1), &value)) values.push_back(value);
  }
  EXPECT_EQ(values.size(), 1u) << name << " in\n" << text;
  return values.size() == 1 ? values[0] : -1;
}

TEST(MetricsTest, WritesEveryKindWithHelpAndType) {
  Metrics metrics;
  prometheus::BuildCounter()
      .Name("webhooks_total")
      .Help("Webhooks.")
      .Register(metrics.registry())
      .Add({{"result", "accepted"}})
      .Increment(3);
  prometheus::BuildGauge().Name("log_bytes").Help("Size.").Register(metrics.registry()).Add({}).Set(0.5);
  prometheus::BuildHistogram()
      .Name("batch_events")
      .Help("Batches.")
      .Register(metrics.registry())
      .Add({}, prometheus::Histogram::BucketBoundaries{1, 2})
      .Observe(2);
  const auto text = metrics.Text();
  EXPECT_THAT(text,
              AllOf(HasSubstr("# HELP webhooks_total Webhooks.\n"), HasSubstr("# TYPE webhooks_total counter\n")));
  EXPECT_EQ(Sample(text, "webhooks_total{result=\"accepted\"}"), 3);
  EXPECT_EQ(Sample(text, "log_bytes"), 0.5);
  EXPECT_EQ(Sample(text, "batch_events_bucket{le=\"1\"}"), 0);
  EXPECT_EQ(Sample(text, "batch_events_bucket{le=\"2\"}"), 1);
  EXPECT_EQ(Sample(text, "batch_events_count"), 1);
}

class FixedSource final : public prometheus::Collectable {
 public:
  std::vector<prometheus::MetricFamily> Collect() const override {
    prometheus::MetricFamily family{"refund_relay_wal_bytes", "Size.", prometheus::MetricType::Gauge, {}};
    family.metric.emplace_back().gauge.value = 42;
    return {family};
  }
};

TEST(MetricsTest, AsksSourcesForAsLongAsTheyLive) {
  Metrics metrics;
  auto source = std::make_shared<FixedSource>();
  metrics.Add(source);
  EXPECT_EQ(Sample(metrics.Text(), "refund_relay_wal_bytes"), 42);
  source.reset();
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("wal_bytes")));
}

TEST(MetricsTest, TellsOfTheProcess) {
  Metrics metrics;
  const auto text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("# TYPE process_cpu_seconds_total counter"));
  EXPECT_GE(Sample(text, "process_cpu_seconds_total"), 0);
  EXPECT_GE(Sample(text, "process_resident_memory_bytes"), 1 << 20);
  EXPECT_GE(Sample(text, "process_virtual_memory_bytes"), Sample(text, "process_resident_memory_bytes"));
  EXPECT_GE(Sample(text, "process_threads"), 1);
  EXPECT_THAT(Sample(text, "process_open_fds"), AllOf(Ge(3), Le(Sample(text, "process_max_fds"))));
  const double now = absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch());
  EXPECT_THAT(Sample(text, "process_start_time_seconds"), AllOf(Ge(now - 3600), Le(now + 1)));
  // changes() of it counts restarts.
  EXPECT_EQ(Sample(metrics.Text(), "process_start_time_seconds"), Sample(text, "process_start_time_seconds"));
}

TEST(OpsMetricsTest, TellsTheVersionAndTheLastReloadOfEachFile) {
  Metrics metrics;
  OpsMetrics ops(metrics.registry());
  ops.FileLoaded("/etc/secret", true);
  ops.FileLoaded("/etc/basic", true);
  ops.FileLoaded("/etc/basic", false);
  const auto text = metrics.Text();
  EXPECT_THAT(text, HasSubstr(absl::StrCat("version=\"", std::string(Version()), "\"} 1")));
  EXPECT_EQ(Sample(text, "refund_relay_config_last_reload_successful{file=\"/etc/secret\"}"), 1);
  EXPECT_EQ(Sample(text, "refund_relay_config_last_reload_successful{file=\"/etc/basic\"}"), 0);
}

}  // namespace
}  // namespace refund_relay
