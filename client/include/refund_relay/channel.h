// Makes the gRPC channel to a refund-relay server.
#ifndef REFUND_RELAY_CHANNEL_H_
#define REFUND_RELAY_CHANNEL_H_

#include <memory>
#include <string>

#include "grpcpp/channel.h"

namespace refund_relay {

// A plaintext channel to `address` (`host:port`), with pings that keep an idle connection open and reconnects quick
// enough for a Backoff on top to be what sets the pace. Takes at most about 256 KiB of a stream ahead of what was read
// from it, so that what the server has sent is near what was handled. Does not connect yet. The channel is thread-safe.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address);

}  // namespace refund_relay

#endif  // REFUND_RELAY_CHANNEL_H_
