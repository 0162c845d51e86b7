#include "server/ops/metrics.h"

#include <algorithm>
#include <iterator>
#include <sstream>
#include <utility>

#include "prometheus/text_serializer.h"
#include "server/ops/process_metrics.h"

namespace refund_relay {
namespace {

constexpr char kPrefix[] = "refund_relay_";

}  // namespace

Metrics::Metrics() : process_(std::make_shared<const ProcessMetrics>()) { Add(process_); }

void Metrics::Add(std::weak_ptr<const prometheus::Collectable> source) {
  absl::MutexLock lock(&mutex_);
  std::erase_if(sources_, [](const auto& known) { return known.expired(); });
  sources_.push_back(std::move(source));
}

std::string Metrics::Text() {
  std::vector<std::weak_ptr<const prometheus::Collectable>> sources;
  {
    absl::MutexLock lock(&mutex_);
    sources = sources_;
  }
  auto families = registry_.Collect();
  for (const auto& weak : sources) {
    const auto source = weak.lock();
    if (source == nullptr) continue;
    auto more = source->Collect();
    std::move(more.begin(), more.end(), std::back_inserter(families));
  }
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families);
  return std::move(out).str();
}

prometheus::Family<prometheus::Counter>& CounterFamily(prometheus::Registry& registry, const std::string& name,
                                                       const std::string& help) {
  return prometheus::BuildCounter().Name(kPrefix + name).Help(help).Register(registry);
}

prometheus::Family<prometheus::Gauge>& GaugeFamily(prometheus::Registry& registry, const std::string& name,
                                                   const std::string& help) {
  return prometheus::BuildGauge().Name(kPrefix + name).Help(help).Register(registry);
}

prometheus::Family<prometheus::Histogram>& HistogramFamily(prometheus::Registry& registry, const std::string& name,
                                                           const std::string& help) {
  return prometheus::BuildHistogram().Name(kPrefix + name).Help(help).Register(registry);
}

}  // namespace refund_relay
