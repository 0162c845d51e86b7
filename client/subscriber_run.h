// The one run of a Subscriber: one subscription over as many streams as it takes.
#ifndef REFUND_RELAY_CLIENT_SUBSCRIBER_RUN_H_
#define REFUND_RELAY_CLIENT_SUBSCRIBER_RUN_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "client/message_handler.h"
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

  SubscriberResult RunStreams() ABSL_LOCKS_EXCLUDED(mutex_);
  // Loads the kept position, trying for as long as a first connection may take.
  MaybeEnd LoadPosition() ABSL_LOCKS_EXCLUDED(mutex_);
  RpcError AcceptKept(const KeptPosition& kept);
  StreamEnd RunStream() ABSL_LOCKS_EXCLUDED(mutex_);
  // Reads `stream` until it ends, or there is a reason to end it.
  MaybeEnd ReadStream(EventStream& stream) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Duration Patience() const;
  // The error of a stream on which nothing came for `patience`.
  RpcError OnSilence(absl::Duration patience);
  StreamEnd OnStatus(const RpcError& status) const;
  // The wait before the next attempt after `error`; nullopt = there is none.
  std::optional<absl::Duration> WaitAfter(const StreamEnd& end);
  bool stopping() const ABSL_LOCKS_EXCLUDED(mutex_);
  SubscriberResult Result(End end, RpcError error = {});

  // Constant after construction.
  const SubscriberOptions options_;
  const SubscriberParts parts_;

  // Used by the thread of Run only.
  Backoff reconnect_backoff_;
  MessageHandler messages_;
  absl::Time connect_deadline_;
  // Why no server was reached before; empty once one was. An attempt that waits for a connection does not learn why.
  std::string last_connect_failure_;
  int attempts_without_progress_ = 0;

  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<EventStream> stream_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_SUBSCRIBER_RUN_H_
