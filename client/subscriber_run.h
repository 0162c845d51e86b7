// The one run of a Subscriber: one subscription over as many streams as it takes.
#ifndef REFUND_RELAY_CLIENT_SUBSCRIBER_RUN_H_
#define REFUND_RELAY_CLIENT_SUBSCRIBER_RUN_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "client/position_chain.h"
#include "client/position_committer.h"
#include "refund_relay/subscriber.h"

namespace refund_relay {

// As Subscriber, behind it so that what follows is no part of the installed library's headers.
class SubscriberRun {
 public:
  SubscriberRun(SubscriberOptions options, SubscriberParts parts);

  SubscriberResult Run() ABSL_LOCKS_EXCLUDED(mutex_);
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using End = SubscriberResult::End;

  // Why one stream, or one attempt, is over.
  struct StreamEnd {
    std::optional<End> final_end;  // Set if the run is over too.
    RpcError error;                // OK only if the run is over.
    absl::Duration reconnect_after = absl::ZeroDuration();
  };
  // nullopt = go on.
  using MaybeEnd = std::optional<StreamEnd>;

  SubscriberResult RunStreams() ABSL_LOCKS_EXCLUDED(mutex_);
  // Loads the kept position, trying for as long as a first connection may take.
  MaybeEnd LoadPosition() ABSL_LOCKS_EXCLUDED(mutex_);
  RpcError AcceptKept(const KeptPosition& kept);
  StreamEnd RunStream() ABSL_LOCKS_EXCLUDED(mutex_);
  // Reads `stream` until it ends, or there is a reason to end it.
  MaybeEnd ReadStream(EventStream& stream) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Duration Patience() const;
  MaybeEnd OnResponse(const refundrelay::v1::SubscribeResponse& response);
  MaybeEnd OnStarted(const refundrelay::v1::Started& started);
  MaybeEnd OnBatch(const refundrelay::v1::Batch& batch);
  MaybeEnd OnPosition(const refundrelay::v1::Position& position);
  // Commits the very first position, for as long as it takes.
  MaybeEnd CommitStart() ABSL_LOCKS_EXCLUDED(mutex_);
  // Hands one event over, as often as the policy allows.
  MaybeEnd Handle(const refundrelay::v1::Delivery& delivery, const refundrelay::v1::Position& after)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The end that a status of the committer means.
  static MaybeEnd PositionsEnd(const absl::Status& status);
  // The error of a stream on which nothing came for `patience`.
  RpcError OnSilence(absl::Duration patience);
  StreamEnd OnStatus(const RpcError& status) const;
  // The wait before the next attempt after `error`; nullopt = there is none.
  std::optional<absl::Duration> WaitAfter(const StreamEnd& end);
  refundrelay::v1::SubscribeRequest NextRequest() const;
  bool UntilReached() const;
  bool stopping() const ABSL_LOCKS_EXCLUDED(mutex_);
  SubscriberResult Result(End end, RpcError error = {});

  // Constant after construction.
  const SubscriberOptions options_;
  const SubscriberParts parts_;

  // Used by the thread of Run only.
  Backoff reconnect_backoff_;
  Backoff handler_backoff_;
  PositionChain chain_;
  PositionCommitter committer_;
  std::optional<refundrelay::v1::Position> kept_;  // What was loaded at the start.
  bool start_committed_ = false;
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

#endif  // REFUND_RELAY_CLIENT_SUBSCRIBER_RUN_H_
