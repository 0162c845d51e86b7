// LineLimit: how many log lines of one kind others may cause in a second.
#ifndef REFUND_RELAY_SERVER_OPS_LINE_LIMIT_H_
#define REFUND_RELAY_SERVER_OPS_LINE_LIMIT_H_

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace refund_relay {

// So that strangers cannot fill the log. Thread-safe.
class LineLimit {
 public:
  explicit LineLimit(int lines_per_second) : lines_per_second_(lines_per_second) {}

  // Whether a line may be written at `now`: if so, how many were left out since the last one.
  std::optional<uint64_t> Admit(absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (now - since_ >= absl::Seconds(1) || now < since_) {
      since_ = now;
      lines_ = 0;
    }
    if (lines_ == lines_per_second_) {
      ++left_out_;
      return std::nullopt;
    }
    ++lines_;
    return std::exchange(left_out_, 0);
  }

 private:
  const int lines_per_second_;
  absl::Mutex mutex_;
  absl::Time since_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  int lines_ ABSL_GUARDED_BY(mutex_) = 0;  // in the second that began then
  uint64_t left_out_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_LINE_LIMIT_H_
