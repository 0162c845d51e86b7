// ExpiredEvents: counts the events that retention deleted before a subscriber had committed that it handled them.
#ifndef REFUND_RELAY_SERVER_RPC_EXPIRED_EVENTS_H_
#define REFUND_RELAY_SERVER_RPC_EXPIRED_EVENTS_H_

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/registry.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "absl/types/span.h"
#include "server/log/event_filter.h"
#include "server/log/event_log.h"
#include "server/log/position_store.h"

namespace refund_relay {

// `subscriber_expired_events_total{subscriber}`: a rise is loss. Only events that the filter of the committed position
// matches count. Used by one thread at a time.
class ExpiredEvents {
 public:
  // Names beyond this many are counted together as `other`.
  static constexpr size_t kMaxSubscriberLabels = 200;

  // Both must outlive this. Names that have a committed position get their series at once.
  ExpiredEvents(prometheus::Registry& registry, PositionStore& positions);

  // Events that retention has just deleted, in sequence order.
  void Add(absl::Span<const TrimmedEvent> events);

 private:
  prometheus::Counter& CounterOf(const std::string& subscriber_name);

  PositionStore& positions_;
  prometheus::Family<prometheus::Counter>& expired_;
  std::set<std::string> labels_;
  std::map<std::string, uint64_t> told_;  // the position of each name whose loss is in the log already
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_EXPIRED_EVENTS_H_
