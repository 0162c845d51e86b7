// LossAudit: counts again, beside the path of the events, whether everything accepted was stored and everything stored
// was delivered.
#ifndef REFUND_RELAY_SERVER_RPC_LOSS_AUDIT_H_
#define REFUND_RELAY_SERVER_RPC_LOSS_AUDIT_H_

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "absl/time/time.h"
#include "server/log/event_log.h"
#include "server/ops/periodic_thread.h"
#include "server/rpc/stream_recount.h"
#include "server/rpc/stream_registry.h"
#include "server/stream/append_count.h"
#include "server/stream/history_reader.h"

namespace refund_relay {

// Two comparisons, each period:
//
// - Accepted = stored: appends that the log answered as stored, against the growth of its last sequence; and webhooks
//   answered `accepted`, which may not be more. What is in flight is allowed for, so under load a difference may hide
//   for a while; when nothing is in flight the comparison is exact.
// - Stored = delivered + pending, for each stream: the events up to its position that match its filter, counted again
//   from the log, against what it delivered up to that same position. Streams that ended in between are counted, too.
//
// The work of a period is bounded. A stretch of a stream that was not recounted (too long, deleted or damaged
// meanwhile) is passed over and counted as unchecked: the audit never claims what it did not check.
//
// Metrics: `refund_relay_loss_audit_mismatch_events` stays at what was ever found in streams, plus the present
// difference between accepted and stored; `..._checked_events_total` and `..._unchecked_events_total` count events that
// streams passed. Each mismatch is also an error in the log.
class LossAudit {
 public:
  static constexpr absl::Duration kPeriod = absl::Seconds(2);
  // A stream that passed more events than this in a period is not recounted for it.
  static constexpr uint64_t kMostEventsOfAStream = 1 << 16;

  // All must outlive the audit.
  struct Parts {
    EventLog& log;
    HistoryReader& history;
    StreamRegistry& streams;
    const AppendCount& webhooks;
    const AppendCount& promotions;
    // Webhooks that were answered `accepted` since the start.
    std::function<uint64_t()> accepted_answers;
  };

  // To be made before the first append and the first stream.
  LossAudit(prometheus::Registry& registry, Parts parts);
  ~LossAudit();
  LossAudit(const LossAudit&) = delete;
  LossAudit& operator=(const LossAudit&) = delete;

  // Audits every `kPeriod` on a thread of its own, until `Stop`, which waits for one bounded read at most.
  void Start();
  void Stop();

  // One period's audit. Blocks on storage. Not while the thread runs.
  void Audit();
  // Its first half, which never blocks: accepted = stored.
  void CompareIntake();

 private:
  // Up to where a stream was audited.
  struct Audited {
    uint64_t sequence = 0;
    uint64_t delivered_events = 0;
  };
  // A stream and what it is to be audited for.
  struct Stretch {
    StreamRegistry::Record stream;
    StreamProgress progress;
    Audited from;
  };

  void AuditStreams();
  // The stretches that are to be recounted; those that are too long or empty are dealt with at once.
  std::vector<Stretch> TakeStretches();
  void Recount(StreamRecount& recount);
  void Compare(const Stretch& stretch, uint64_t expected_events);
  void ShowMismatch();

  Parts parts_;
  const uint64_t first_sequence_;  // where the log ended before the first append
  prometheus::Gauge& mismatch_events_;
  prometheus::Counter& checked_events_;
  prometheus::Counter& unchecked_events_;
  // The auditing thread's own.
  std::map<uint64_t, Audited> audited_;  // open streams by number
  uint64_t intake_mismatch_ = 0;
  uint64_t stream_mismatch_ = 0;

  PeriodicThread thread_;  // last: it uses all of the above
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_LOSS_AUDIT_H_
