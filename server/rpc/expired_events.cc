#include "server/rpc/expired_events.h"

#include <algorithm>

#include "refundrelay/v1/refund_event_service.pb.h"
#include "server/ops/logging.h"
#include "server/rpc/filter_request.h"

namespace refund_relay {
namespace {

// What a committed filter admits. One that this build cannot read counts everything: loss must show.
EventFilter MatchingOf(const CommittedPosition& position) {
  refundrelay::v1::EventFilter filter;
  RequestViolations violations;
  if (!filter.ParseFromString(position.filter)) return {};
  NormalisedFilter normalised = NormaliseFilter(filter, violations);
  return violations.ToStatus().ok() ? normalised.matching : EventFilter();
}

}  // namespace

ExpiredEvents::ExpiredEvents(prometheus::Registry& registry, PositionStore& positions)
    : positions_(positions),
      expired_(prometheus::BuildCounter()
                   .Name("refund_relay_subscriber_expired_events_total")
                   .Help("Events that retention deleted before the subscriber committed a position past them: loss.")
                   .Register(registry)) {
  Add({});
}

prometheus::Counter& ExpiredEvents::CounterOf(const std::string& subscriber_name) {
  if (labels_.size() < kMaxSubscriberLabels) labels_.insert(subscriber_name);
  return expired_.Add({{"subscriber", labels_.count(subscriber_name) != 0 ? subscriber_name : "other"}});
}

void ExpiredEvents::Add(absl::Span<const TrimmedEvent> events) {
  for (const CommittedPosition& position : positions_.List()) {
    prometheus::Counter& counter = CounterOf(position.subscriber_name);
    if (events.empty() || position.position.sequence >= events.back().sequence) continue;
    const EventFilter filter = MatchingOf(position);
    const auto lost = std::count_if(events.begin(), events.end(), [&](const TrimmedEvent& event) {
      return event.sequence > position.position.sequence && filter.Matches(event.event_name, event.client_id);
    });
    if (lost == 0) continue;
    counter.Increment(static_cast<double>(lost));
    const auto [told, is_new] = told_.try_emplace(position.subscriber_name, position.position.sequence);
    if (!is_new && told->second == position.position.sequence) continue;  // a dead one would fill the log
    told->second = position.position.sequence;
    Log(LogLevel::kError, "retention deleted events that a subscriber had not committed as handled",
        {{"subscriber", position.subscriber_name},
         {"committed_sequence", position.position.sequence},
         {"events", static_cast<uint64_t>(lost)},
         {"through_sequence", events.back().sequence}});
  }
}

}  // namespace refund_relay
