// HandshakeQueue: whose TLS handshake goes on next on one I/O thread.
#ifndef REFUND_RELAY_SERVER_INGRESS_HANDSHAKE_QUEUE_H_
#define REFUND_RELAY_SERVER_INGRESS_HANDSHAKE_QUEUE_H_

#include <cstddef>
#include <deque>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "server/ops/peer_address.h"

namespace refund_relay {

// A step of a handshake costs about as much CPU as ten webhooks. Steps wait here, and the thread takes one at a time
// between its other work, so that a flood of handshakes holds up no connection that is past its own. Peers take turns:
// one that floods waits for itself. As many wait as there are connections. One thread.
class HandshakeQueue {
 public:
  using Step = absl::AnyInvocable<void()>;

  void Add(const PeerAddress& peer, Step step) {
    std::deque<Step>& of_peer = by_peer_[peer];
    if (of_peer.empty()) turns_.push_back(peer);
    of_peer.push_back(std::move(step));
  }

  // The next step, or nothing.
  Step Next() {
    if (turns_.empty()) return nullptr;
    const PeerAddress peer = turns_.front();
    turns_.pop_front();
    const auto found = by_peer_.find(peer);
    Step step = std::move(found->second.front());
    found->second.pop_front();
    if (found->second.empty()) {
      by_peer_.erase(found);
    } else {
      turns_.push_back(peer);
    }
    return step;
  }

  void Clear() {
    by_peer_.clear();
    turns_.clear();
  }

 private:
  std::deque<PeerAddress> turns_;  // each peer for whom something waits, once
  absl::flat_hash_map<PeerAddress, std::deque<Step>> by_peer_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_HANDSHAKE_QUEUE_H_
