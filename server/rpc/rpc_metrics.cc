#include "server/rpc/rpc_metrics.h"

#include <algorithm>
#include <map>
#include <utility>

namespace refund_relay {
namespace {

prometheus::MetricFamily GaugeFamily(std::string name, std::string help) {
  prometheus::MetricFamily family;
  family.name = std::move(name);
  family.help = std::move(help);
  family.type = prometheus::MetricType::Gauge;
  return family;
}

void AddGauge(prometheus::MetricFamily& family, const std::string& subscriber, double value) {
  prometheus::ClientMetric metric;
  if (!subscriber.empty()) metric.label.push_back({"subscriber", subscriber});
  metric.gauge.value = value;
  family.metric.push_back(std::move(metric));
}

}  // namespace

RpcMetrics::RpcMetrics(prometheus::Registry& registry, const FanOut& fan_out)
    : fan_out_(fan_out),
      delivered_(prometheus::BuildCounter()
                     .Name("refund_relay_delivered_events_total")
                     .Help("Events handed to subscribers' streams")
                     .Register(registry)),
      slow_subscribers_(prometheus::BuildCounter()
                            .Name("refund_relay_slow_subscribers_total")
                            .Help("Streams ended because the peer stopped reading")
                            .Register(registry)
                            .Add({})) {}

std::shared_ptr<StreamStats> RpcMetrics::StreamOpened(const std::string& subscriber_name, uint64_t position) {
  auto stats = std::make_shared<StreamStats>();
  stats->position = position;
  absl::MutexLock lock(&mutex_);
  if (labels_.size() < kMaxSubscriberLabels) labels_.insert(subscriber_name);
  stats->label = labels_.count(subscriber_name) != 0 ? subscriber_name : "other";
  stats->delivered = &delivered_.Add({{"subscriber", stats->label}});
  streams_.insert(stats);
  return stats;
}

void RpcMetrics::StreamClosed(const std::shared_ptr<StreamStats>& stats) {
  absl::MutexLock lock(&mutex_);
  streams_.erase(stats);
}

std::vector<prometheus::MetricFamily> RpcMetrics::Collect() const {
  const uint64_t last = fan_out_.last().sequence;
  struct PerSubscriber {
    int streams = 0;
    uint64_t lag = 0;  // of the stream that is furthest behind
  };
  std::map<std::string, PerSubscriber> subscribers;
  size_t streams = 0;
  {
    absl::MutexLock lock(&mutex_);
    streams = streams_.size();
    // A subscriber that went away shows as 0 streams: its absence must be visible.
    for (const std::string& label : labels_) subscribers[label];
    for (const std::shared_ptr<StreamStats>& stats : streams_) {
      PerSubscriber& subscriber = subscribers[stats->label];
      const uint64_t position = stats->position.load(std::memory_order_relaxed);
      ++subscriber.streams;
      subscriber.lag = std::max(subscriber.lag, last > position ? last - position : 0);
    }
  }
  prometheus::MetricFamily open = GaugeFamily("refund_relay_subscriber_streams", "Open streams");
  AddGauge(open, "", static_cast<double>(streams));
  prometheus::MetricFamily connected =
      GaugeFamily("refund_relay_subscriber_connected", "Open streams of each subscriber");
  prometheus::MetricFamily lag = GaugeFamily(
      "refund_relay_subscriber_lag_events", "Stored events that the subscriber's slowest open stream has not examined");
  for (const auto& [label, subscriber] : subscribers) {
    AddGauge(connected, label, subscriber.streams);
    if (subscriber.streams > 0) AddGauge(lag, label, static_cast<double>(subscriber.lag));
  }
  return {std::move(open), std::move(connected), std::move(lag)};
}

}  // namespace refund_relay
