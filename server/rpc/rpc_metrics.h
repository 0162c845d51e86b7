// The streams' metrics.
#ifndef REFUND_RELAY_SERVER_RPC_RPC_METRICS_H_
#define REFUND_RELAY_SERVER_RPC_RPC_METRICS_H_

#include <prometheus/collectable.h>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/log/position_store.h"
#include "server/ops/clock.h"
#include "server/ops/peer_quota.h"
#include "server/rpc/stored_times.h"
#include "server/rpc/stream_registry.h"
#include "server/stream/fan_out.h"

namespace refund_relay {

// Thread-safe. Gauges about subscribers are computed at scrape, from the open streams and the committed positions. A
// scrape waits for storage for at most `kScrapePatience`; of lags in seconds that are not known by then it gives the
// last ones.
class RpcMetrics final : public prometheus::Collectable {
 public:
  // Names beyond this many are counted together as `other`, so that strangers cannot fill Prometheus.
  static constexpr size_t kMaxSubscriberLabels = 200;
  static constexpr absl::Duration kScrapePatience = absl::Milliseconds(250);

  // All must outlive the metrics.
  RpcMetrics(prometheus::Registry& registry, const FanOut& fan_out, const StreamRegistry& streams, const Clock& clock);

  // From now on committed positions and lags in seconds are shown, too. All must outlive the last scrape.
  void LogOpened(EventLog& log, HistoryReader& history, PositionStore& positions);

  // Counts events handed to streams of this name. The result lives as long as the metrics.
  prometheus::Counter& DeliveredEvents(const std::string& subscriber_name);
  void SlowSubscriber() { slow_subscribers_.Increment(); }
  // A stream, a connection too many.
  void CountRefusedStream(PeerQuota::Verdict why) { Of(refused_streams_, why).Increment(); }
  void CountRefusedConnection(PeerQuota::Verdict why) { Of(refused_connections_, why).Increment(); }
  // Connections of the gRPC port were opened (+) or closed (-).
  void CountConnections(double change) {
    if (change > 0) opened_connections_.Increment(change);
    connections_.Increment(change);
  }
  // One was cut, because it sent much and called too little, or let no other connect.
  void CountCutConnection() { cut_connections_.Increment(); }
  // One ended without having sent a byte.
  void CountSilentConnection() { silent_connections_.Increment(); }

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  struct RefusalCounters {
    prometheus::Counter& total;
    prometheus::Counter& peer;
  };
  static RefusalCounters MakeRefusalCounters(prometheus::Registry& registry, const char* name, const char* help);
  static prometheus::Counter& Of(RefusalCounters& counters, PeerQuota::Verdict why) {
    return why == PeerQuota::Verdict::kFullForPeer ? counters.peer : counters.total;
  }

  // What a scrape tells of one label.
  struct Subscriber {
    size_t streams = 0;
    // The place of its stream that is furthest behind; without a stream, the committed one.
    std::optional<uint64_t> position;
  };

  // The name itself, if there is room for it as a label; else `other`.
  std::string LabelOf(const std::string& subscriber_name) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::map<std::string, Subscriber> Subscribers(const std::vector<StreamRegistry::Record>& streams) const;
  // Since when the oldest event after each one's position waits; missing where none does.
  std::map<std::string, absl::Time> WaitingSince(const std::map<std::string, Subscriber>& subscribers,
                                                 uint64_t last_sequence) const;

  const FanOut& fan_out_;
  const StreamRegistry& streams_;
  const Clock& clock_;
  // Not in the registry, so that a series that a scrape brings up is already in its answer.
  mutable prometheus::Family<prometheus::Counter> delivered_;
  prometheus::Counter& slow_subscribers_;
  RefusalCounters refused_streams_;
  RefusalCounters refused_connections_;
  prometheus::Gauge& connections_;
  prometheus::Counter& opened_connections_;
  prometheus::Counter& silent_connections_;
  prometheus::Counter& cut_connections_;
  mutable absl::Mutex mutex_;
  mutable std::set<std::string> labels_ ABSL_GUARDED_BY(mutex_);
  // What knows about the log, once it is open. All are set once, so they may be used without the lock.
  struct OfLog {
    std::unique_ptr<StoredTimes> stored_times;
    PositionStore* positions = nullptr;
    EventLog* log = nullptr;
  };
  StoredTimes* stored_times() const {
    absl::MutexLock lock(&mutex_);
    return of_log_.stored_times.get();
  }
  PositionStore* positions() const {
    absl::MutexLock lock(&mutex_);
    return of_log_.positions;
  }
  // The last sequence that retention has deleted.
  uint64_t deleted_through() const {
    absl::MutexLock lock(&mutex_);
    return of_log_.log == nullptr ? 0 : of_log_.log->Info().first_sequence - 1;
  }
  OfLog of_log_ ABSL_GUARDED_BY(mutex_);
  mutable std::map<std::string, absl::Time> last_waiting_since_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_RPC_METRICS_H_
