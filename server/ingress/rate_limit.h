// Limits how many authentic webhooks a second are taken in.
#ifndef REFUND_RELAY_SERVER_INGRESS_RATE_LIMIT_H_
#define REFUND_RELAY_SERVER_INGRESS_RATE_LIMIT_H_

#include <algorithm>
#include <chrono>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace refund_relay {

// A token bucket that holds one second's worth, and at least one. Thread-safe.
class RateLimit {
 public:
  using Clock = std::chrono::steady_clock;

  // 0 = no limit.
  explicit RateLimit(double per_second) : per_second_(per_second), tokens_(std::max(1.0, per_second)) {}

  // Takes a token if there is one at `now`.
  bool Admit(Clock::time_point now) {
    if (per_second_ <= 0) return true;
    absl::MutexLock lock(&mutex_);
    if (now > filled_at_) {
      const double seconds = started_ ? std::chrono::duration<double>(now - filled_at_).count() : 0;
      tokens_ = std::min(std::max(1.0, per_second_), tokens_ + seconds * per_second_);
      filled_at_ = now;
      started_ = true;
    }
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  const double per_second_;
  absl::Mutex mutex_;
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  Clock::time_point filled_at_ ABSL_GUARDED_BY(mutex_);
  double tokens_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_RATE_LIMIT_H_
