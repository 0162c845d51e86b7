#include "server/ops/metrics.h"

#include <algorithm>
#include <iterator>
#include <sstream>
#include <utility>

#include "prometheus/text_serializer.h"
#include "server/ops/process_metrics.h"

namespace refund_relay {

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

}  // namespace refund_relay
