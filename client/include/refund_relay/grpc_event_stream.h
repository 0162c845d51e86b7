// Subscribe streams over gRPC.
#ifndef REFUND_RELAY_GRPC_EVENT_STREAM_H_
#define REFUND_RELAY_GRPC_EVENT_STREAM_H_

#include <functional>
#include <memory>

#include "grpcpp/channel.h"
#include "refund_relay/event_stream.h"

namespace refund_relay {

// Opens each stream as a call on `channel`, with a completion queue of its own that the reading thread waits on: so a
// read can time out, and no thread of gRPC's stands between. After a failed connection the next stream stays silent
// until there is a connection, and so starts as soon as the server is back.
//
// `replace`, if given, makes another channel to the same server, or returns null to go on with this one. It is asked
// when a stream was silent to its end on a connection that gRPC takes for good: behind a proxy or a node that drops in
// silence, further streams on it would be as dead, until the pings notice (up to 40 s).
std::unique_ptr<EventStreamFactory> MakeGrpcEventStreamFactory(
    std::shared_ptr<grpc::Channel> channel, std::function<std::shared_ptr<grpc::Channel>()> replace = nullptr);

}  // namespace refund_relay

#endif  // REFUND_RELAY_GRPC_EVENT_STREAM_H_
