#include "refund_relay/connection.h"

#include <utility>

namespace refund_relay {

Connection::Connection(std::function<std::shared_ptr<grpc::Channel>()> make)
    : make_(std::move(make)), channel_(make_()) {}

std::shared_ptr<grpc::Channel> Connection::channel() {
  absl::MutexLock lock(&mutex_);
  return channel_;
}

void Connection::Leave(const std::shared_ptr<grpc::Channel>& silent) {
  absl::MutexLock lock(&mutex_);
  if (silent != channel_ || channel_->GetState(/*try_to_connect=*/false) != GRPC_CHANNEL_READY) return;
  if (std::shared_ptr<grpc::Channel> other = make_(); other != nullptr) channel_ = std::move(other);
}

std::shared_ptr<Connection> MakeConnection(const std::string& address) {
  return std::make_shared<Connection>([address] { return MakeChannel(address); });
}

absl::StatusOr<std::shared_ptr<Connection>> MakeConnection(const std::string& address, const ChannelOptions& options) {
  if (absl::Status status = CheckChannelOptions(options); !status.ok()) return status;
  return std::make_shared<Connection>([address, options]() -> std::shared_ptr<grpc::Channel> {
    auto channel = MakeChannel(address, options);
    return channel.ok() ? *std::move(channel) : nullptr;
  });
}

}  // namespace refund_relay
