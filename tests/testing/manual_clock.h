// A clock that tests set.
#ifndef REFUND_RELAY_TESTS_TESTING_MANUAL_CLOCK_H_
#define REFUND_RELAY_TESTS_TESTING_MANUAL_CLOCK_H_

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"
#include "server/ops/clock.h"

namespace refund_relay {

// Thread-safe. Whole microseconds.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(absl::Time now) : micros_(absl::ToUnixMicros(now)) {}

  absl::Time Now() const override { return absl::FromUnixMicros(micros_.load()); }
  void Set(absl::Time now) { micros_.store(absl::ToUnixMicros(now)); }
  void Advance(absl::Duration by) { micros_.fetch_add(absl::ToInt64Microseconds(by)); }

 private:
  std::atomic<int64_t> micros_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_TESTS_TESTING_MANUAL_CLOCK_H_
