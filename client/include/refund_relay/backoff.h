// How long to wait before each new attempt: growing and jittered, so that many subscribers do not come back at once.
#ifndef REFUND_RELAY_BACKOFF_H_
#define REFUND_RELAY_BACKOFF_H_

#include <functional>

#include "absl/time/time.h"

namespace refund_relay {

struct BackoffPolicy {
  // The first wait is at most this; each further one at most twice the one before.
  absl::Duration initial = absl::Milliseconds(200);
  // No wait is longer.
  absl::Duration longest = absl::Seconds(30);
};

// Numbers in [0, 1) from a generator of its own, seeded by the system. Not thread-safe.
std::function<double()> SystemRandom();

// Draws each wait evenly from the upper half of its range: never too eager, never all at once. Not thread-safe.
class Backoff {
 public:
  // `random` gives numbers in [0, 1).
  explicit Backoff(BackoffPolicy policy, std::function<double()> random = SystemRandom());

  // The wait before the next attempt.
  absl::Duration Next();

  // Call after a success: the next wait is a first one again.
  void Reset();

 private:
  const BackoffPolicy policy_;
  const std::function<double()> random_;
  absl::Duration limit_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_BACKOFF_H_
