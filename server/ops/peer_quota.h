// PeerQuota: how many of something are open, in all and by peer, against two limits.
#ifndef REFUND_RELAY_SERVER_OPS_PEER_QUOTA_H_
#define REFUND_RELAY_SERVER_OPS_PEER_QUOTA_H_

#include <algorithm>
#include <cstddef>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/ops/peer_address.h"

namespace refund_relay {

// Counts connections, or streams. Thread-safe; never blocks but in AwaitNone.
class PeerQuota {
 public:
  enum class Verdict {
    kTaken,
    kFull,         // in all
    kFullForPeer,  // this peer has all that one may have; others still get in
  };

  // `limit_per_peer` 0: three quarters of `limit`, so that no single peer can shut all others out, and a proxy in
  // front, for which all peers are one, loses little.
  explicit PeerQuota(size_t limit, size_t limit_per_peer = 0)
      : limit_(limit), limit_per_peer_(limit_per_peer == 0 ? std::max<size_t>(limit - limit / 4, 1) : limit_per_peer) {}

  size_t limit() const { return limit_; }
  size_t limit_per_peer() const { return limit_per_peer_; }

  // kTaken must be followed by GiveBack; what was not taken needs none.
  Verdict Take(const PeerAddress& peer) {
    absl::MutexLock lock(&mutex_);
    if (taken_ >= limit_) return Verdict::kFull;
    size_t& of_peer = by_peer_[peer];
    if (of_peer >= limit_per_peer_) return Verdict::kFullForPeer;
    ++of_peer;
    ++taken_;
    return Verdict::kTaken;
  }

  void GiveBack(const PeerAddress& peer) {
    absl::MutexLock lock(&mutex_);
    const auto found = by_peer_.find(peer);
    if (found == by_peer_.end()) return;
    if (--found->second == 0) by_peer_.erase(found);
    --taken_;
  }

  size_t taken() const {
    absl::MutexLock lock(&mutex_);
    return taken_;
  }

  // Blocks until none is taken; false if that was not so by `deadline`.
  bool AwaitNone(absl::Time deadline) {
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithDeadline(absl::Condition(+[](size_t* taken) { return *taken == 0; }, &taken_), deadline);
  }

 private:
  const size_t limit_;
  const size_t limit_per_peer_;
  mutable absl::Mutex mutex_;
  size_t taken_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<PeerAddress, size_t> by_peer_ ABSL_GUARDED_BY(mutex_);  // no zeroes: as many as are taken at most
};

// The label `reason` of what counts refusals.
constexpr const char* RefusalReason(PeerQuota::Verdict verdict) {
  return verdict == PeerQuota::Verdict::kFullForPeer ? "peer" : "total";
}

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_PEER_QUOTA_H_
