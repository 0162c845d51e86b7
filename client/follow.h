// Follows the log as one subscription over as many streams as it takes.
#ifndef REFUND_RELAY_CLIENT_FOLLOW_H_
#define REFUND_RELAY_CLIENT_FOLLOW_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "client/backoff.h"
#include "client/event_stream.h"
#include "client/position_chain.h"
#include "client/rpc_error.h"
#include "client/sleeper.h"
#include "refundrelay/v1/refund_event_service.pb.h"

namespace refund_relay {

struct FollowOptions {
  // The first request; must have a start. Every further one is the same but starts after the last position.
  refundrelay::v1::SubscribeRequest request;
  // Open a new stream when one breaks. Without it the first end is the end.
  bool reconnect = true;
  // End after this many events; 0 = no such end.
  uint64_t max_events = 0;
  // How long it may take to get the first `started`, retries included, with one second for a last attempt; later
  // streams are retried for ever, and each may take as long to start.
  absl::Duration connect_timeout = absl::Seconds(10);
};

// Gets what comes. Called on the thread of Run, never at once.
class FollowObserver {
 public:
  virtual ~FollowObserver() = default;

  // One event, in sequence order; `after` is the position to resume from once it is handled. Not OK ends the
  // following; the event then counts as not handled.
  virtual absl::Status OnEvent(const refundrelay::v1::Delivery& delivery, const refundrelay::v1::Position& after) = 0;

  // A stream has started; `resumed` if it is not the first one.
  virtual void OnStarted(const refundrelay::v1::Started& started, bool resumed) = 0;

  virtual void OnCaughtUp(const refundrelay::v1::Position& position) = 0;
  virtual void OnFellBehind(const refundrelay::v1::Position& position) = 0;
  virtual void OnGoingAway(const refundrelay::v1::GoingAway& going_away) = 0;

  // A stream has ended with `error`; the next one is opened after `wait`, behind `position` if there is one yet.
  virtual void OnReconnect(const RpcError& error, absl::Duration wait,
                           const std::optional<refundrelay::v1::Position>& position) = 0;
};

struct FollowResult {
  enum class End {
    kBoundReached,  // `until`, or `stop_when_caught_up`.
    kMaxEvents,
    kStopped,  // Stop was called.
    kFailed,   // `error` tells why.
  };
  End end;
  // OK unless `end` is kFailed. Reasons of the client's own: CHAIN_BROKEN (DATA_LOSS), OUTPUT_FAILED (ABORTED).
  RpcError error;
  // Where to resume: everything up to here was handled. Unset if no stream ever started and none was given.
  std::optional<refundrelay::v1::Position> position;
};

// Resumes after the last handled event with a jittered back-off, checks that the streams join, gives up a stream on
// which nothing came for three heartbeat intervals of waiting, waits as `going_away` says, ignores kinds of messages
// that it does not know, and never jumps: where resuming would skip events it fails.
//
// Run is called once. Stop may be called from any thread (not from a signal handler).
class Follower {
 public:
  // None is owned; all outlive the follower. `now` gives the time that `connect_timeout` is measured by.
  Follower(FollowOptions options, EventStreamFactory& streams, Sleeper& sleeper, Backoff backoff,
           std::function<absl::Time()> now, FollowObserver& observer);

  // Blocks until the end.
  FollowResult Run() ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends Run soon; events that it has not handed over yet are not handed over.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Why one stream is over.
  struct StreamEnd {
    std::optional<FollowResult::End> final_end;  // Set if the following is over too.
    RpcError error;                              // Not OK otherwise.
    absl::Duration reconnect_after = absl::ZeroDuration();
  };

  StreamEnd RunStream() ABSL_LOCKS_EXCLUDED(mutex_);
  // nullopt = read on.
  std::optional<StreamEnd> OnResponse(const refundrelay::v1::SubscribeResponse& response);
  std::optional<StreamEnd> OnBatch(const refundrelay::v1::Batch& batch);
  std::optional<StreamEnd> OnPosition(const refundrelay::v1::Position& position);
  // The error of a stream on which nothing came for `patience`.
  RpcError OnSilence(absl::Duration patience);
  StreamEnd OnStatus(const RpcError& status) const;
  // The wait before the next stream; nullopt = there is none.
  std::optional<absl::Duration> WaitAfter(const StreamEnd& end);
  refundrelay::v1::SubscribeRequest NextRequest() const;
  bool UntilReached() const;
  bool stopping() const ABSL_LOCKS_EXCLUDED(mutex_);
  FollowResult Result(FollowResult::End end, RpcError error = {}) const;

  // Constant after construction.
  const FollowOptions options_;
  EventStreamFactory& streams_;
  Sleeper& sleeper_;
  const std::function<absl::Time()> now_;
  FollowObserver& observer_;

  // Used by the thread of Run only.
  Backoff backoff_;
  PositionChain chain_;
  uint64_t events_ = 0;
  absl::Time connect_deadline_;
  bool ever_started_ = false;
  // Why no server was reached before; empty once one was. An attempt that waits for a connection does not learn why.
  std::string last_connect_failure_;
  int attempts_without_progress_ = 0;
  // Of the stream that is open.
  bool started_ = false;
  absl::Duration heartbeat_interval_;
  absl::Duration reconnect_after_;

  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<EventStream> stream_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_FOLLOW_H_
