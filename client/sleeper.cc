#include "refund_relay/sleeper.h"

namespace refund_relay {

void SystemSleeper::Sleep(absl::Duration duration) {
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&awake_), duration);
}

void SystemSleeper::Wake() {
  absl::MutexLock lock(&mutex_);
  awake_ = true;
}

}  // namespace refund_relay
