// The seam between following a log and the network: one Subscribe stream, and what opens it.
#ifndef REFUND_RELAY_EVENT_STREAM_H_
#define REFUND_RELAY_EVENT_STREAM_H_

#include <memory>

#include "absl/time/time.h"
#include "refund_relay/rpc_error.h"
#include "refundrelay/v1/refund_event_service.pb.h"

namespace refund_relay {

// One Subscribe stream. Read and Finish are called by one thread; Cancel by any.
class EventStream {
 public:
  enum class ReadOutcome {
    kMessage,  // `*response` holds the next message.
    kSilent,   // Nothing came in time. The stream is still open: cancel it or read on.
    kEnd,      // There is nothing more; Finish tells why.
  };

  virtual ~EventStream() = default;

  // Blocks until a message comes, the stream ends, or `timeout` has passed. The time counts from this call, so that
  // time spent between two reads is never taken for silence of the server.
  virtual ReadOutcome Read(absl::Duration timeout, refundrelay::v1::SubscribeResponse* response) = 0;

  // The status of the stream. Call it once, after kEnd or after Cancel; blocks until the stream is over, which is
  // soon then.
  virtual RpcError Finish() = 0;

  // Ends the stream from this side; a blocked Read returns kEnd. Thread-safe.
  virtual void Cancel() = 0;
};

// Opens streams. Used by one thread.
class EventStreamFactory {
 public:
  virtual ~EventStreamFactory() = default;

  // Never fails and does not wait: what goes wrong shows at Read and Finish of the stream. The stream must not outlive
  // the factory.
  virtual std::unique_ptr<EventStream> Open(const refundrelay::v1::SubscribeRequest& request) = 0;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_EVENT_STREAM_H_
