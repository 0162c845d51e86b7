// The client library: handles every refund event of a log, one after the other, for as long as it takes.
//
//   auto connection = refund_relay::MakeConnection("127.0.0.1:50051");
//   refund_relay::SubscriberOptions options;
//   options.request.set_subscriber_name("books");
//   options.request.set_start_from(refundrelay::v1::START_FROM_EARLIEST);  // the first time
//   refund_relay::SubscriberParts parts;
//   parts.streams = refund_relay::MakeGrpcEventStreamFactory(connection);
//   parts.keeper = refund_relay::MakeServerPositionKeeper(connection, "books");
//   parts.handler = [](const refundrelay::v1::Delivery& delivery, const refundrelay::v1::Position&) {
//     return Book(delivery.event());  // may see an event twice: the key is refund.id
//   };
//   const refund_relay::SubscriberResult result = refund_relay::Subscriber(options, parts).Run();
#ifndef REFUND_RELAY_SUBSCRIBER_H_
#define REFUND_RELAY_SUBSCRIBER_H_

#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "refund_relay/event_stream.h"
#include "refund_relay/position_keeper.h"
#include "refund_relay/rpc_error.h"
#include "refund_relay/sleeper.h"
#include "refund_relay/subscriber_observer.h"
#include "refund_relay/subscriber_options.h"
#include "refundrelay/v1/refund_event_service.pb.h"

namespace refund_relay {

class SubscriberRun;

// Handles one event. OK: it is handled, and will not come again in this run. Anything else: it is not, see
// HandlerPolicy. `after` is the position behind it, for handlers that keep it together with what they book. Events come
// in sequence order, one at a time, on the thread of Run; the time taken is nobody's business but the lag's. Must not
// throw.
using EventHandler =
    std::function<absl::Status(const refundrelay::v1::Delivery& delivery, const refundrelay::v1::Position& after)>;

// What a subscriber is made of. `streams` and `handler` are required.
struct SubscriberParts {
  std::shared_ptr<EventStreamFactory> streams;
  EventHandler handler;
  // None: nothing is kept, and a run begins at the start of the request. One keeper serves one subscriber.
  std::shared_ptr<PositionKeeper> keeper;
  std::shared_ptr<SubscriberObserver> observer;
  // What tests replace. None: the system's own.
  std::shared_ptr<Sleeper> sleeper;
  std::function<absl::Time()> now;
  std::function<double()> random;  // For the jitter of waits, in [0, 1).
};

struct SubscriberResult {
  enum class End {
    kBoundReached,  // `until`, or `stop_when_caught_up`.
    kMaxEvents,
    kStopped,          // Stop was called.
    kFailed,           // The server's answer, or a stream that does not join: `error` tells, see ReactionTo.
    kHandlerFailed,    // The handler refused an event as often as HandlerPolicy allows; `error` is its last one.
    kPositionsFailed,  // The position could not be loaded or committed; `error` tells.
  };
  End end;
  // OK unless `end` is one of the last three. With POSITION_EXPIRED, `metadata` has the `first_sequence` that is still
  // stored: what lies between it and `position` is lost to this subscriber. Reasons of the library's own, beside those
  // of PositionKeeper: CHAIN_BROKEN (DATA_LOSS), and FILTER_WIDENED also for positions that the server does not keep.
  RpcError error;
  // Everything up to here was handled, with FILTER_WIDENED only what the kept filter admits. Unset if no stream ever
  // started and none was given or kept.
  std::optional<refundrelay::v1::Position> position;
  // What the keeper holds, as far as is known.
  std::optional<refundrelay::v1::Position> committed_position;

  bool ok() const { return error.ok(); }
};

// Resumes after the last handled event with a jittered back-off, checks that the streams join without gap or double,
// replaces a stream that is dead, waits as `going_away` says, commits only positions whose events were all handled, and
// ignores kinds of messages that it does not know. It never jumps: where resuming would skip events it ends, and says
// so. docs/subscribing.md tells what to do then.
//
// With a keeper, the first position of all is committed before the first event is handed over: a crash right after the
// start cannot make LATEST mean a later place.
//
// Run is called once. Stop may be called by any thread (not by a signal handler).
class Subscriber {
 public:
  Subscriber(SubscriberOptions options, SubscriberParts parts);
  ~Subscriber();

  Subscriber(const Subscriber&) = delete;
  Subscriber& operator=(const Subscriber&) = delete;

  // Blocks until the end.
  SubscriberResult Run();

  // Ends Run soon: after the handler or commit under way, and one last commit. May be called before Run.
  void Stop();

 private:
  const std::unique_ptr<SubscriberRun> run_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SUBSCRIBER_H_
