// What a Subscriber tells beside the events: for logs, metrics and people. Nothing here has to be acted on.
#ifndef REFUND_RELAY_SUBSCRIBER_OBSERVER_H_
#define REFUND_RELAY_SUBSCRIBER_OBSERVER_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "refund_relay/rpc_error.h"
#include "refundrelay/v1/refund_event_service.pb.h"

namespace refund_relay {

// Override what you need. Called on the thread of Subscriber::Run, never at once; the subscriber waits meanwhile.
class SubscriberObserver {
 public:
  virtual ~SubscriberObserver() = default;

  // The keeper has a position: the run goes on after it, and not at the start that the request gives.
  virtual void OnKept(const refundrelay::v1::Position& /*position*/) {}

  // A stream has started; `resumed` if it is not the first one of the run.
  virtual void OnStarted(const refundrelay::v1::Started& /*started*/, bool /*resumed*/) {}

  // History is done; what follows is live.
  virtual void OnCaughtUp(const refundrelay::v1::Position& /*position*/) {}

  // The server reads history again, because this subscriber is slow. Nothing is lost.
  virtual void OnFellBehind(const refundrelay::v1::Position& /*position*/) {}

  // `lag_events`: stored events after the heartbeat's position, matching or not.
  virtual void OnHeartbeat(const refundrelay::v1::Heartbeat& /*heartbeat*/, uint64_t /*lag_events*/) {}

  // The server is about to end the stream.
  virtual void OnGoingAway(const refundrelay::v1::GoingAway& /*going_away*/) {}

  // A stream, or the loading of the kept position, has ended with `error`; the next attempt follows after `wait`,
  // behind `position` if there is one yet. ReactionTo(error) tells passing trouble from what should never happen.
  virtual void OnReconnect(const RpcError& /*error*/, absl::Duration /*wait*/,
                           const std::optional<refundrelay::v1::Position>& /*position*/) {}

  // The handler refused `delivery` for the `attempt`th time, counted from 1; it gets it again after `wait`.
  virtual void OnHandlerError(const refundrelay::v1::Delivery& /*delivery*/, const absl::Status& /*error*/,
                              uint32_t /*attempt*/, absl::Duration /*wait*/) {}

  // Everything up to `position` is committed.
  virtual void OnCommitted(const refundrelay::v1::Position& /*position*/) {}

  // A commit failed for a reason that may pass; it is tried again after `wait`.
  virtual void OnCommitFailed(const RpcError& /*error*/, absl::Duration /*wait*/) {}
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SUBSCRIBER_OBSERVER_H_
