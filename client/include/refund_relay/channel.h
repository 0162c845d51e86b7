// Makes the gRPC channel to a refund-relay server.
#ifndef REFUND_RELAY_CHANNEL_H_
#define REFUND_RELAY_CHANNEL_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpcpp/channel.h"

namespace refund_relay {

// How the channel is secured. Files are PEM.
struct ChannelOptions {
  bool tls = false;         // implied by `ca_file`, needed by all others
  std::string ca_file;      // authorities that the server's certificate may come from; empty: those of the system
  std::string cert_file;    // mutual TLS: our certificate with its chain
  std::string key_file;     // and its key
  std::string server_name;  // what the server's certificate must name, where that is not the address
  // One bearer token, sent with each call and read anew for it, so that a rotated token is used at once. Never sent in
  // plain text: who reads it could use it.
  std::string token_file;

  bool secure() const { return tls || !ca_file.empty(); }
};

// OK if `MakeChannel` takes the options. INVALID_ARGUMENT: they contradict each other, or a file holds no PEM of its
// kind or no token; NOT_FOUND: a file cannot be read. Messages name option or file. Blocks on storage.
absl::Status CheckChannelOptions(const ChannelOptions& options);

// A plaintext channel to `address` (`host:port`), with pings that keep an idle connection open and reconnects quick
// enough for a Backoff on top to be what sets the pace. Takes at most about 256 KiB of a stream ahead of what was read
// from it, so that what the server has sent is near what was handled. Does not connect yet. The channel is thread-safe.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address);

// The same, secured as `options` say. Certificates, keys and authorities are read again when their files change, for
// the connections made after that. A call whose token cannot be read fails UNAVAILABLE: the next attempt reads
// again. Errors: those of CheckChannelOptions.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const std::string& address, const ChannelOptions& options);

}  // namespace refund_relay

#endif  // REFUND_RELAY_CHANNEL_H_
