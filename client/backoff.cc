#include "refund_relay/backoff.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/random/random.h"

namespace refund_relay {

std::function<double()> SystemRandom() {
  return [bits = std::make_shared<absl::BitGen>()] { return absl::Uniform(*bits, 0.0, 1.0); };
}

Backoff::Backoff(BackoffPolicy policy, std::function<double()> random)
    : policy_(policy), random_(std::move(random)), limit_(policy.initial) {}

absl::Duration Backoff::Next() {
  const absl::Duration wait = limit_ * (0.5 + 0.5 * random_());
  limit_ = std::min(limit_ * 2, policy_.longest);
  return wait;
}

void Backoff::Reset() { limit_ = policy_.initial; }

}  // namespace refund_relay
