// Connection: the way to a server that the parts of a subscriber share.
#ifndef REFUND_RELAY_CONNECTION_H_
#define REFUND_RELAY_CONNECTION_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "grpcpp/channel.h"
#include "refund_relay/channel.h"

namespace refund_relay {

// One channel at a time. Behind a proxy or a node that drops in silence, gRPC takes a channel for good until its pings
// notice (up to 40 s); who waits on it in vain leaves it, and all parts go on with the next. Thread-safe.
class Connection {
 public:
  // `make` makes a channel to the server, each time another one; null if it cannot: the first of all must not be.
  // Called under a lock: it must not use the connection.
  explicit Connection(std::function<std::shared_ptr<grpc::Channel>()> make);

  // For one call, or one stream; never null.
  std::shared_ptr<grpc::Channel> channel() ABSL_LOCKS_EXCLUDED(mutex_);

  // A call on `silent` was waited for in vain. Makes another channel if gRPC takes it for good and nobody has done so
  // yet: one that fails by its own account comes back by itself.
  void Leave(const std::shared_ptr<grpc::Channel>& silent) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const std::function<std::shared_ptr<grpc::Channel>()> make_;
  absl::Mutex mutex_;
  std::shared_ptr<grpc::Channel> channel_ ABSL_GUARDED_BY(mutex_);
};

// A plaintext connection to `address` (`host:port`), by MakeChannel. Does not connect yet.
std::shared_ptr<Connection> MakeConnection(const std::string& address);

// The same, secured as `options` say. Errors: those of CheckChannelOptions. Where a file cannot be read any more when a
// channel is to be left, that channel stays: it knows what the file held.
absl::StatusOr<std::shared_ptr<Connection>> MakeConnection(const std::string& address, const ChannelOptions& options);

}  // namespace refund_relay

#endif  // REFUND_RELAY_CONNECTION_H_
