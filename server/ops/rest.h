// Rest: a pause that another thread can cut short, measured by a clock that nobody sets.
#ifndef REFUND_RELAY_SERVER_OPS_REST_H_
#define REFUND_RELAY_SERVER_OPS_REST_H_

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "absl/time/time.h"

namespace refund_relay {

// Debian 12's absl::Mutex waits until a time of the wall clock: when that is set back by an hour, a wait of a second
// takes an hour longer. So whatever has to happen regularly rests here. Thread-safe; one thread rests.
class Rest {
 public:
  // Returns after `duration`, or as soon as `Cut` was called since the last rest began or ended.
  void For(absl::Duration duration) {
    // A longer rest than a year is not needed, and would overflow.
    const auto longest = absl::ToChronoNanoseconds(std::min(duration, absl::Hours(24 * 365)));
    std::unique_lock<std::mutex> lock(mutex_);
    cut_condition_.wait_for(lock, longest, [this] { return cut_; });
    cut_ = false;
  }

  // Ends the rest under way, or the next one at once.
  void Cut() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      cut_ = true;
    }
    cut_condition_.notify_one();
  }

 private:
  // Of the standard library: its wait_for is on the steady clock.
  std::mutex mutex_;
  std::condition_variable cut_condition_;
  bool cut_ = false;  // guarded by mutex_, which clang's analysis does not know
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_REST_H_
