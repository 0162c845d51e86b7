#include "server/rpc/idle_input.h"

#include <algorithm>

#include "server/ops/peer_address.h"

namespace refund_relay {

void IdleInput::Opened(const Connection& connection) {
  absl::MutexLock lock(&mutex_);
  accounts_[connection.peer] = {.number = connection.number};
}

void IdleInput::Closed(const Connection& connection) {
  absl::MutexLock lock(&mutex_);
  const auto found = accounts_.find(connection.peer);
  if (found != accounts_.end() && found->second.number == connection.number) accounts_.erase(found);
}

void IdleInput::CallBegan(std::string_view peer) {
  const auto endpoint = ParseGrpcPeer(peer);
  if (!endpoint.has_value()) return;
  absl::MutexLock lock(&mutex_);
  const auto found = accounts_.find(*endpoint);
  if (found != accounts_.end()) ++found->second.calls;
}

bool IdleInput::IsTooMuch(const Connection& connection, const TcpBytes& bytes, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  const auto found = accounts_.find(connection.peer);
  if (found == accounts_.end() || found->second.number != connection.number) return false;
  Account& account = found->second;
  if (account.since > now) account.since = now;  // the first look, or a clock that was set back
  const uint64_t read = bytes.received - std::min(bytes.unread, bytes.received);
  const uint64_t calls = account.calls - account.calls_at_start;
  const uint64_t idle = read - std::min(account.read_at_start, read);
  const uint64_t sent = bytes.acknowledged - account.acknowledged_at_start;
  const auto seconds = static_cast<uint64_t>(absl::ToInt64Seconds(now - account.since));
  const uint64_t allowance = sent / kPartOfSent + seconds * kBytesPerSecond;
  if (idle <= kBytes * (1 + calls) + allowance) {
    account.too_much_since = absl::InfiniteFuture();
    if (calls > 0) account = {account.number, account.calls, account.calls, read, bytes.acknowledged, now};
    return false;
  }
  if (calls == 0 && idle > kBytesAtOnce + allowance) return true;
  if (account.too_much_since > now) {
    account.too_much_since = now;
    account.read_then = read;
  }
  return now - account.too_much_since >= kPatience && read > account.read_then;
}

}  // namespace refund_relay
