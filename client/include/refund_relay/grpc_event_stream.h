// Subscribe streams over gRPC.
#ifndef REFUND_RELAY_GRPC_EVENT_STREAM_H_
#define REFUND_RELAY_GRPC_EVENT_STREAM_H_

#include <memory>

#include "refund_relay/connection.h"
#include "refund_relay/event_stream.h"

namespace refund_relay {

// Opens each stream as a call on `connection`, with a completion queue of its own that the reading thread waits on: so
// a read can time out, and no thread of gRPC's stands between. After a failed connection the next stream stays silent
// until there is a connection, and so starts as soon as the server is back.
// After a stream that was silent to its end it leaves the channel.
std::unique_ptr<EventStreamFactory> MakeGrpcEventStreamFactory(std::shared_ptr<Connection> connection);

}  // namespace refund_relay

#endif  // REFUND_RELAY_GRPC_EVENT_STREAM_H_
