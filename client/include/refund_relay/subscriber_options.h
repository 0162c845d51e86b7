// What a Subscriber is asked to do: the request, and the policies for everything that can go wrong.
#ifndef REFUND_RELAY_SUBSCRIBER_OPTIONS_H_
#define REFUND_RELAY_SUBSCRIBER_OPTIONS_H_

#include <cstdint>

#include "absl/time/time.h"
#include "refund_relay/backoff.h"
#include "refundrelay/v1/refund_event_service.pb.h"

namespace refund_relay {

// An event whose handler answers an error is not handled: the subscriber hands it over again, after a wait, and never
// moves past it.
struct HandlerPolicy {
  // After so many errors for one event the run ends (kHandlerFailed); 0 = never: a database that is down for a night
  // then costs a night and no refund. Watch SubscriberObserver::OnHandlerError.
  uint32_t max_attempts = 0;
  BackoffPolicy backoff;
};

// When the position is committed to the PositionKeeper, if there is one: on whichever comes first, before a wait for a
// server that went away, and at the end of the run. A crash repeats the events handled since the last commit, so these
// bound how many.
struct CommitPolicy {
  // After so many handled events; 0 = not by count.
  uint64_t every_events = 1000;
  // So long after the position has moved; absl::InfiniteDuration() = not by time.
  absl::Duration every = absl::Seconds(1);
  // A commit that failed is tried again after these waits, while events go on being handled.
  BackoffPolicy backoff;
};

// When a stream that says nothing is given up and replaced. Only time in which the subscriber waits for the server
// counts, not time in the handler or in a commit.
struct DeadStreamPolicy {
  // So many heartbeat intervals of waiting in vain.
  int heartbeat_intervals = 3;
  // How long a stream may take to start.
  absl::Duration start_timeout = absl::Seconds(10);
};

struct SubscriberOptions {
  // Name, filter and start are the caller's choice; the start is for the very first time, when no position is kept yet,
  // and there is no default. Every further request is the same but starts after the last position.
  refundrelay::v1::SubscribeRequest request;
  HandlerPolicy handler;
  CommitPolicy commit;
  DeadStreamPolicy dead_stream;
  // Waits between one stream and the next; `going_away.reconnect_after` comes on top.
  BackoffPolicy reconnect;
  // How long it may take to get the first `started`, retries included, with one second for a last attempt. Streams that
  // break later are retried for ever.
  absl::Duration connect_timeout = absl::InfiniteDuration();
  // False: the end of the first stream is the end of the run.
  bool keep_reconnecting = true;
  // End after this many events; 0 = no such end.
  uint64_t max_events = 0;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SUBSCRIBER_OPTIONS_H_
