#include "refund_relay/channel.h"

#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"

namespace refund_relay {
namespace {

// A batch is at most 2 MiB, but one larger event goes alone, and the operator sets the limit of bodies.
constexpr int kMaxMessageBytes = 64 << 20;
// The server allows a ping every 10 s at most.
constexpr int kKeepaliveMillis = 30'000;
constexpr int kKeepaliveTimeoutMillis = 10'000;
// gRPC's own reconnect waits grow to two minutes by default, which would outlast every Backoff.
constexpr int kFirstReconnectMillis = 100;
constexpr int kLongestReconnectMillis = 1'000;
constexpr int kConnectTimeoutMillis = 5'000;
// How far gRPC reads ahead of the handler. Left to itself it probes the connection and buffers 10 MB and more, and asks
// for nothing while a slow handler eats that: the server would take a steady reader for one that stopped.
constexpr int kReadAheadBytes = 256 << 10;

}  // namespace

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMillis);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMillis);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstReconnectMillis);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLongestReconnectMillis);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMillis);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kReadAheadBytes);
  // An http_proxy meant for a browser would otherwise take even loopback connections.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace refund_relay
