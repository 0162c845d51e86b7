// Whether a call may fail at once for want of a connection, or has to wait for one.
#ifndef REFUND_RELAY_CLIENT_READY_CALL_H_
#define REFUND_RELAY_CLIENT_READY_CALL_H_

#include "grpcpp/channel.h"

namespace refund_relay {

// On a channel that has not tried to connect yet, a call fails with the cause (refused, unknown host). On one that has
// failed it would fail again at once, without a new attempt: gRPC moves a channel on only while somebody waits on a
// completion queue. So the call waits for a connection then, and drives the attempts.
inline bool MustWaitForReady(grpc::Channel& channel) {
  return channel.GetState(/*try_to_connect=*/false) != GRPC_CHANNEL_IDLE;
}

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_READY_CALL_H_
