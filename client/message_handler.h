// Takes the messages of a run's streams: checks that they join, hands events over, commits.
#ifndef REFUND_RELAY_CLIENT_MESSAGE_HANDLER_H_
#define REFUND_RELAY_CLIENT_MESSAGE_HANDLER_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/position_chain.h"
#include "client/position_committer.h"
#include "refund_relay/subscriber.h"

namespace refund_relay {

// Why one stream, or one attempt, is over.
struct StreamEnd {
  std::optional<SubscriberResult::End> final_end;  // Set if the run is over too.
  RpcError error;                                  // OK only if the run is over.
  absl::Duration reconnect_after = absl::ZeroDuration();
};
// nullopt = go on.
using MaybeEnd = std::optional<StreamEnd>;

// The end that a status of the committer means: none if it is OK or may pass.
MaybeEnd PositionsEnd(const absl::Status& status);

// What spans the streams of a run: the chain of positions, and what is committed. Used by the thread of Run.
class MessageHandler {
 public:
  // All outlive this; `parts` is complete but for the keeper, which may be missing. `stopping` is asked before each
  // event and after each wait.
  MessageHandler(const SubscriberOptions& options, const SubscriberParts& parts, std::function<bool()> stopping);

  // The run begins after `position`, which the keeper kept.
  void SetKept(const refundrelay::v1::Position& position);

  // A stream was opened.
  void BeginStream();

  // One message of it. Blocks while the handler, a commit, or a wait for either takes.
  MaybeEnd OnResponse(const refundrelay::v1::SubscribeResponse& response);

  // What the next stream is to be asked for.
  refundrelay::v1::SubscribeRequest NextRequest() const;

  PositionCommitter& committer() { return committer_; }

  // Everything up to here was handled; unset before the first `started` unless the start is a position.
  const std::optional<refundrelay::v1::Position>& position() const { return chain_.position(); }
  bool UntilReached() const;

  // Whether a stream has got on since the last call.
  bool TakeProgress() { return std::exchange(progressed_, false); }

  // Of the open stream, or the one before.
  bool started() const { return started_; }
  absl::Duration heartbeat_interval() const { return heartbeat_interval_; }
  absl::Duration reconnect_after() const { return reconnect_after_; }

  // Of any stream of the run.
  bool ever_started() const { return ever_started_; }

 private:
  MaybeEnd OnStarted(const refundrelay::v1::Started& started);
  MaybeEnd OnBatch(const refundrelay::v1::Batch& batch);
  MaybeEnd OnPosition(const refundrelay::v1::Position& position);
  // Commits the very first position, for as long as it takes.
  MaybeEnd CommitStart();
  // Hands one event over, as often as the policy allows.
  MaybeEnd Handle(const refundrelay::v1::Delivery& delivery, const refundrelay::v1::Position& after);

  // Constant after construction.
  const SubscriberOptions& options_;
  const SubscriberParts& parts_;
  const std::function<bool()> stopping_;

  Backoff handler_backoff_;
  PositionChain chain_;
  PositionCommitter committer_;
  std::optional<refundrelay::v1::Position> committed_start_;  // Where START_FROM_COMMITTED must start.
  bool start_committed_ = false;
  bool ever_started_ = false;
  bool progressed_ = false;
  uint64_t events_ = 0;
  bool started_ = false;
  absl::Duration heartbeat_interval_;
  absl::Duration reconnect_after_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_MESSAGE_HANDLER_H_
