#include "server/rpc/idle_input.h"

#include "server/ops/peer_address.h"

namespace refund_relay {

void IdleInput::Opened(const Endpoint& peer) {
  absl::MutexLock lock(&mutex_);
  accounts_[peer] = {};
}

void IdleInput::Closed(const Endpoint& peer) {
  absl::MutexLock lock(&mutex_);
  accounts_.erase(peer);
}

void IdleInput::CallBegan(std::string_view peer) {
  const std::optional<Endpoint> endpoint = ParseGrpcPeer(peer);
  if (!endpoint.has_value()) return;
  absl::MutexLock lock(&mutex_);
  const auto found = accounts_.find(*endpoint);
  if (found != accounts_.end()) ++found->second.calls;
}

bool IdleInput::IsTooMuch(const Endpoint& peer, const TcpBytes& bytes, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  const auto found = accounts_.find(peer);
  if (found == accounts_.end()) return false;
  Account& account = found->second;
  if (account.since > now) account.since = now;  // the first look, or a clock that was set back
  if (account.calls != account.calls_at_start) {
    account.calls_at_start = account.calls;
    account.at_start = bytes;
    account.since = now;
    return false;
  }
  const uint64_t received = bytes.received - account.at_start.received;
  const uint64_t sent = bytes.acknowledged - account.at_start.acknowledged;
  const auto seconds = static_cast<uint64_t>(absl::ToInt64Seconds(now - account.since));
  return received > kBytes + sent / kPartOfSent + seconds * kBytesPerSecond;
}

}  // namespace refund_relay
