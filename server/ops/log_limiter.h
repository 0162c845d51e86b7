// LogLimiter: strangers can cause a log line, but not fill the disk with it.
#ifndef REFUND_RELAY_SERVER_OPS_LOG_LIMITER_H_
#define REFUND_RELAY_SERVER_OPS_LOG_LIMITER_H_

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace refund_relay {

// One for each kind of line. Thread-safe; does not block.
class LogLimiter {
 public:
  // At most `lines` in each `period`.
  LogLimiter(int lines, absl::Duration period) : lines_(lines), period_(period) {}

  // Nothing: leave this line out. Else write it, and in it this number of lines that were left out before it.
  std::optional<uint64_t> Admit(absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (now - began_ >= period_ || now < began_) {
      began_ = now;
      written_ = 0;
    }
    if (written_ >= lines_) {
      ++left_out_;
      return std::nullopt;
    }
    ++written_;
    return std::exchange(left_out_, 0);
  }

 private:
  const int lines_;
  const absl::Duration period_;
  absl::Mutex mutex_;
  absl::Time began_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  int written_ ABSL_GUARDED_BY(mutex_) = 0;  // in the period that began then
  uint64_t left_out_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_LOG_LIMITER_H_
