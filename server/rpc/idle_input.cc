#include "server/rpc/idle_input.h"

#include <algorithm>

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
  const uint64_t read = bytes.received - std::min(bytes.unread, bytes.received);
  if (account.calls != account.calls_at_start) {
    account = {account.calls, account.calls, read, bytes.acknowledged, now};
    return false;
  }
  const uint64_t idle = read - std::min(account.read_at_start, read);
  const uint64_t sent = bytes.acknowledged - account.acknowledged_at_start;
  const auto seconds = static_cast<uint64_t>(absl::ToInt64Seconds(now - account.since));
  const uint64_t allowance = sent / kPartOfSent + seconds * kBytesPerSecond;
  if (idle <= kBytes + allowance) {
    account.too_much_since = absl::InfiniteFuture();
    return false;
  }
  if (idle > kBytesAtOnce + allowance) return true;
  if (account.too_much_since > now) {
    account.too_much_since = now;
    account.read_then = read;
  }
  return now - account.too_much_since >= kPatience && read > account.read_then;
}

}  // namespace refund_relay
