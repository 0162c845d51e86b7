// EventLog: the one seam between refund-relay and what stores its events.
//
// On the path of a webhook it stands between the publisher, which appends, and the fan-out, which follows the tail. An
// implementation assigns sequences, refuses doubles and answers each append once its outcome is durable.
#ifndef REFUND_RELAY_SERVER_LOG_EVENT_LOG_H_
#define REFUND_RELAY_SERVER_LOG_EVENT_LOG_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/log/event_filter.h"

namespace refund_relay {

// XXH3-64 of an event id: what `Position.event_hash` holds.
uint64_t EventHash(std::string_view event_id);

// An event on its way into the log. The columns stand beside the bytes, so that a filter never decodes.
struct NewEvent {
  std::string event_id;
  std::string event_name;
  std::string client_id;  // empty if the webhook had none
  std::string refund_id;
  std::string payment_gateway_refund_id;  // empty if the webhook had none
  std::string event;                      // an encoded RefundEvent
};

// A stored event as a reader sees it. A view: valid only during the call that it is passed to.
struct StoredEvent {
  uint64_t sequence = 0;
  absl::Time stored_at;  // whole microseconds; never falls as the sequence rises
  std::string_view event_id;
  std::string_view event_name;
  std::string_view client_id;
  std::string_view event;
};

// A place in the log: everything up to and including `sequence`; 0 = before the first.
struct LogPosition {
  uint64_t sequence = 0;
  uint64_t event_hash = 0;  // EventHash of the event at `sequence`; 0 where there is none or it is unknown

  friend bool operator==(const LogPosition&, const LogPosition&) = default;
};

struct AppendOutcome {
  uint64_t sequence = 0;   // of this event, or of the first copy
  bool duplicate = false;  // the event id was there before; nothing was stored
};

// Bounds of one Read. At least one event is always scanned, so a reader moves however small they are.
struct ReadLimits {
  size_t max_events = 256;     // matching events visited
  size_t max_bytes = 1 << 20;  // bytes of `event` visited; one larger event goes alone
  size_t max_scanned = 4096;   // events looked at, matching or not
};

// Which of a refund's ids is looked for.
enum class RefundIdKind { kRefundId, kPaymentGatewayRefundId };

// Most events, and most ids, that one step of trimming deletes: what an append may have to wait for.
inline constexpr size_t kTrimStepEvents = 256;

// What one step of trimming may delete. Oldest first, and never more than `max_events` events and as many ids.
struct TrimRequest {
  absl::Time stored_before = absl::InfinitePast();  // events stored before this
  // 0 = any. Events while the log uses more than this, not counting the ids that it remembers (their number only
  // depends on `forget_before`); but never the newest one.
  uint64_t max_bytes = 0;
  // Ids of deleted events, once all events that `mark_interval` joins with theirs were stored before this.
  absl::Time forget_before = absl::InfinitePast();
  absl::Duration mark_interval = absl::Hours(1);  // how exactly the age of ids is remembered
  size_t max_events = kTrimStepEvents;
};

// An event that retention has deleted. The columns are empty if the record was damaged.
struct TrimmedEvent {
  uint64_t sequence = 0;
  std::string event_name;
  std::string client_id;
};

struct TrimOutcome {
  std::vector<TrimmedEvent> events;  // in sequence order
  size_t forgotten_ids = 0;
  bool more = false;  // another step with the same request may find work
};

struct FoundEvent {
  uint64_t sequence = 0;
  absl::Time stored_at;
  std::string event;  // an encoded RefundEvent
};

// The log that a restored backup was taken of. Its positions at or below `last_sequence` are positions of this log too.
struct RestoredFrom {
  std::string log_id;
  uint64_t last_sequence = 0;

  friend bool operator==(const RestoredFrom&, const RestoredFrom&) = default;
};

// What the log holds. `first_sequence` is `last.sequence + 1` when it holds no event.
struct LogInfo {
  std::string log_id;
  uint64_t first_sequence = 1;
  LogPosition last;
  std::optional<absl::Time> first_stored_at;  // unset when it holds no event
  std::optional<absl::Time> last_stored_at;   // unset when nothing was ever stored
  uint64_t log_bytes = 0;
  uint64_t wal_bytes = 0;
  size_t queued_events = 0;  // appends that wait for the writer
  size_t queue_limit_events = 0;
  size_t queued_bytes = 0;  // of the same
  size_t queue_limit_bytes = 0;
  std::optional<RestoredFrom> restored_from;  // unset unless it is a restored backup
};

// Thread safety: every method may be called from any thread, except that `StartTail` is called once and `Close` after
// everything else.
class EventLog {
 public:
  using AppendDone = absl::AnyInvocable<void(absl::StatusOr<AppendOutcome>)>;
  using TrimDone = absl::AnyInvocable<void(absl::StatusOr<TrimOutcome>)>;
  // One commit's events, in order; never empty.
  using TailVisitor = absl::AnyInvocable<void(absl::Span<const StoredEvent>)>;

  virtual ~EventLog() = default;

  // Appends an event, or finds that its id was stored before. Never blocks on storage. `done` is called exactly once,
  // on the log's own thread or (when the event is refused at once) on the caller's; it must be quick and must not call
  // `Close`. It is called after the outcome is durable and after the tail was shown the event.
  //
  // Errors:
  // - RESOURCE_EXHAUSTED: the queue is full. Nothing is stored; the sender should come back.
  // - UNAVAILABLE: nothing is stored (disk full, closing); may succeed later.
  // - ABORTED: the log has failed (a sync failed) and answers nothing more. Whether the event survived shows at the
  // next
  //   open, so it must never be reported as stored.
  virtual void Append(NewEvent event, AppendDone done) = 0;

  // Starts to follow the log. Returns the position S of the newest event; `visit` then gets S+1, S+2, ... in order, one
  // commit a call, one call at a time, on the log's own thread. `visit` must be quick. No call is under way after
  // `Close` returned.
  virtual LogPosition StartTail(TailVisitor visit) = 0;

  // Visits events with a sequence above `after.sequence` that match, in order, from a short snapshot; returns the
  // position of the last one *scanned* (`after` itself when there is none). Blocks on storage: not for a
  // completion-queue or I/O thread. A non-zero `after.event_hash` is checked against the event at `after.sequence`,
  // where it is still known.
  //
  // Errors are about the first event to be scanned or about `after`; whatever goes wrong further on just ends the read:
  // - OUT_OF_RANGE, POSITION_EXPIRED {first_sequence}: it was deleted by retention.
  // - FAILED_PRECONDITION, POSITION_AHEAD: `after` lies beyond the end. POSITION_MISMATCH: another event stands there.
  // - DATA_LOSS, CHECKSUM {sequence}: it is damaged; reading `after` it passes over it.
  // - UNAVAILABLE: storage cannot be read just now.
  virtual absl::StatusOr<LogPosition> Read(LogPosition after, const EventFilter& filter, const ReadLimits& limits,
                                           absl::FunctionRef<void(const StoredEvent&)> visit) = 0;

  // The position at `sequence`, with its hash where it is known (0 where not). Blocks on storage. Errors as of Read,
  // but a position just before the first stored event is fine, and so is a damaged record (its hash counts as unknown).
  virtual absl::StatusOr<LogPosition> PositionAt(uint64_t sequence) = 0;

  // The position before the first event with `stored_at` >= `time`. Blocks on storage.
  // - OUT_OF_RANGE, POSITION_EXPIRED {first_sequence}: events at or after `time` may have been deleted by retention.
  virtual absl::StatusOr<LogPosition> PositionBefore(absl::Time time) = 0;

  // When the event at `sequence` was stored; of a damaged record the time of the next intact one. Blocks on storage.
  // Errors as of Read, about that event; POSITION_AHEAD when nothing is stored there yet.
  virtual absl::StatusOr<absl::Time> StoredAt(uint64_t sequence) = 0;

  // Finds an event by its id. Blocks on storage.
  // - NOT_FOUND, EVENT_UNKNOWN: it was never stored. EVENT_EXPIRED {sequence}: it was deleted by retention.
  // - DATA_LOSS, CHECKSUM {sequence}: it is damaged.
  virtual absl::StatusOr<FoundEvent> Find(std::string_view event_id) = 0;

  // Visits the events of one refund, as Read visits those that match a filter, without a scan. `limits.max_scanned`
  // does not count here; a look-up that has much to look through may end early, as the returned position tells.
  //
  // Errors are those of Read; DATA_LOSS when the first event found is damaged.
  virtual absl::StatusOr<LogPosition> FindByRefund(RefundIdKind which, std::string_view id, LogPosition after,
                                                   const ReadLimits& limits,
                                                   absl::FunctionRef<void(const StoredEvent&)> visit) = 0;

  // Deletes old events, one bounded step; shares the commits of appends. Positions within what was deleted expire, its
  // ids stay until they are forgotten in turn: until then the same event again is a duplicate. Never blocks on storage;
  // `done` is called once, as by Append, after the outcome is durable and Info tells it.
  //
  // Errors besides those of Append: DATA_LOSS: the oldest events are damaged too badly to be deleted; nothing was.
  virtual void Trim(TrimRequest request, TrimDone done) = 0;

  // What the log holds, from memory: never blocks on storage.
  virtual LogInfo Info() = 0;

  // OK while appends can succeed; else UNAVAILABLE (may recover) or ABORTED (failed for good), with the cause. Never
  // blocks on storage.
  virtual absl::Status Health() = 0;

  // Answers everything that was appended before, then closes; appends from now on are UNAVAILABLE. Blocks until done or
  // until `deadline`; DEADLINE_EXCEEDED when appends were still unanswered then (they are answered ABORTED).
  virtual absl::Status Close(absl::Time deadline) = 0;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_EVENT_LOG_H_
