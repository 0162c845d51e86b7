#include "server/rpc/rpc_metrics.h"

#include <algorithm>
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

// Keeps the place that is furthest behind.
void TakeEarlier(std::optional<uint64_t>& position, uint64_t sequence) {
  position = position.has_value() ? std::min(*position, sequence) : sequence;
}

}  // namespace

RpcMetrics::RpcMetrics(prometheus::Registry& registry, const FanOut& fan_out, const StreamRegistry& streams,
                       const Clock& clock)
    : fan_out_(fan_out),
      streams_(streams),
      clock_(clock),
      delivered_("refund_relay_delivered_events_total", "Events handed to subscribers' streams.", {}),
      slow_subscribers_(prometheus::BuildCounter()
                            .Name("refund_relay_slow_subscribers_total")
                            .Help("Streams ended because the peer stopped reading.")
                            .Register(registry)
                            .Add({})),
      refused_streams_(MakeRefusalCounters(registry, "refund_relay_streams_refused_total",
                                           "Subscribe streams refused because too many were open, in all (total) or "
                                           "of one address (peer).")),
      refused_connections_(MakeRefusalCounters(registry, "refund_relay_grpc_connections_refused_total",
                                               "gRPC connections refused because too many were open, in all (total) "
                                               "or of one address (peer).")),
      connections_(prometheus::BuildGauge()
                       .Name("refund_relay_grpc_connections")
                       .Help("Open connections of the gRPC port, handshakes included.")
                       .Register(registry)
                       .Add({})),
      opened_connections_(prometheus::BuildCounter()
                              .Name("refund_relay_grpc_connections_opened_total")
                              .Help("Connections of the gRPC port that were not refused.")
                              .Register(registry)
                              .Add({})),
      silent_connections_(prometheus::BuildCounter()
                              .Name("refund_relay_grpc_silent_connections_total")
                              .Help("Connections of the gRPC port that ended without having sent a byte.")
                              .Register(registry)
                              .Add({})),
      cut_connections_(prometheus::BuildCounter()
                           .Name("refund_relay_grpc_connections_cut_total")
                           .Help("Connections of the gRPC port that were cut because they sent much and called "
                                 "nothing, or let no other connect.")
                           .Register(registry)
                           .Add({})) {}

RpcMetrics::RefusalCounters RpcMetrics::MakeRefusalCounters(prometheus::Registry& registry, const char* name,
                                                            const char* help) {
  auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  return {family.Add({{"reason", RefusalReason(PeerQuota::Verdict::kFull)}}),
          family.Add({{"reason", RefusalReason(PeerQuota::Verdict::kFullForPeer)}})};
}

void RpcMetrics::LogOpened(EventLog& log, HistoryReader& history, PositionStore& positions) {
  absl::MutexLock lock(&mutex_);
  of_log_ = {std::make_unique<StoredTimes>(history), &positions, &log};
}

prometheus::Counter& RpcMetrics::DeliveredEvents(const std::string& subscriber_name) {
  absl::MutexLock lock(&mutex_);
  return delivered_.Add({{"subscriber", LabelOf(subscriber_name)}});
}

std::string RpcMetrics::LabelOf(const std::string& subscriber_name) const {
  // First come, first served, and for good: a name that changed its label would break every graph of it.
  if (labels_.size() < kMaxSubscriberLabels) labels_.insert(subscriber_name);
  return labels_.count(subscriber_name) != 0 ? subscriber_name : "other";
}

std::map<std::string, RpcMetrics::Subscriber> RpcMetrics::Subscribers(
    const std::vector<StreamRegistry::Record>& streams) const {
  std::vector<CommittedPosition> committed;
  if (PositionStore* const store = positions(); store != nullptr) committed = store->List();
  std::set<std::string> connected;
  std::map<std::string, Subscriber> subscribers;
  absl::MutexLock lock(&mutex_);
  for (const StreamRegistry::Record& stream : streams) {
    const std::string& name = stream->identity().subscriber_name;
    connected.insert(name);
    Subscriber& subscriber = subscribers[LabelOf(name)];
    ++subscriber.streams;
    TakeEarlier(subscriber.position, stream->progress().position.sequence);
  }
  for (const CommittedPosition& position : committed) {
    const std::string label = LabelOf(position.subscriber_name);
    delivered_.Add({{"subscriber", label}});  // that it gets nothing must show as 0, not as nothing
    Subscriber& subscriber = subscribers[label];
    if (connected.count(position.subscriber_name) == 0) TakeEarlier(subscriber.position, position.position.sequence);
  }
  // A subscriber that went away shows as 0 streams: its absence must be visible.
  for (const std::string& label : labels_) subscribers[label];
  return subscribers;
}

std::map<std::string, absl::Time> RpcMetrics::WaitingSince(const std::map<std::string, Subscriber>& subscribers,
                                                           uint64_t last_sequence) const {
  std::set<uint64_t> behind;
  for (const auto& [label, subscriber] : subscribers) {
    if (subscriber.position.has_value() && *subscriber.position < last_sequence) behind.insert(*subscriber.position);
  }
  std::map<uint64_t, absl::Time> known;
  if (StoredTimes* const times = stored_times(); times != nullptr && !behind.empty()) {
    known = times->After(behind, kScrapePatience);
  }
  std::map<std::string, absl::Time> since;
  absl::MutexLock lock(&mutex_);
  for (const auto& [label, subscriber] : subscribers) {
    if (!subscriber.position.has_value() || behind.count(*subscriber.position) == 0) continue;
    if (const auto found = known.find(*subscriber.position); found != known.end()) {
      since[label] = found->second;
    } else if (const auto last = last_waiting_since_.find(label); last != last_waiting_since_.end()) {
      since[label] = last->second;  // storage does not answer: rather an old word than none
    }
  }
  last_waiting_since_ = since;
  return since;
}

std::vector<prometheus::MetricFamily> RpcMetrics::Collect() const {
  const std::vector<StreamRegistry::Record> streams = streams_.List();
  std::map<std::string, Subscriber> subscribers = Subscribers(streams);
  // After the positions were taken, so that none is ahead of it.
  const uint64_t last = fan_out_.last().sequence;
  const uint64_t before_first = deleted_through();
  for (auto& [label, subscriber] : subscribers) {
    // Deleted events are counted as expired, not as lag.
    if (subscriber.position.has_value()) subscriber.position = std::max(*subscriber.position, before_first);
  }
  const std::map<std::string, absl::Time> waiting_since = WaitingSince(subscribers, last);
  const absl::Time now = clock_.Now();

  prometheus::MetricFamily open = GaugeFamily("refund_relay_subscriber_streams", "Open streams.");
  AddGauge(open, "", static_cast<double>(streams.size()));
  prometheus::MetricFamily connected =
      GaugeFamily("refund_relay_subscriber_connected", "Open streams of each subscriber.");
  prometheus::MetricFamily lag_events = GaugeFamily(
      "refund_relay_subscriber_lag_events",
      "Stored events after the position of the subscriber's slowest stream; without a stream, after the committed "
      "one.");
  prometheus::MetricFamily lag_seconds = GaugeFamily("refund_relay_subscriber_lag_seconds",
                                                     "How long the oldest of those events has been stored; 0 = none.");
  for (const auto& [label, subscriber] : subscribers) {
    AddGauge(connected, label, static_cast<double>(subscriber.streams));
    if (!subscriber.position.has_value()) continue;
    const uint64_t lag = last > *subscriber.position ? last - *subscriber.position : 0;
    AddGauge(lag_events, label, static_cast<double>(lag));
    const auto since = waiting_since.find(label);
    if (lag == 0) {
      AddGauge(lag_seconds, label, 0);
    } else if (since != waiting_since.end()) {
      AddGauge(lag_seconds, label, std::max(0.0, absl::ToDoubleSeconds(now - since->second)));
    }
  }
  std::vector<prometheus::MetricFamily> families = delivered_.Collect();
  for (prometheus::MetricFamily* family : {&open, &connected, &lag_events, &lag_seconds}) {
    families.push_back(std::move(*family));
  }
  return families;
}

}  // namespace refund_relay
