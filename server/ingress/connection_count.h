// Counts open connections against their limit.
#ifndef REFUND_RELAY_SERVER_INGRESS_CONNECTION_COUNT_H_
#define REFUND_RELAY_SERVER_INGRESS_CONNECTION_COUNT_H_

#include <cstddef>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace refund_relay {

// Thread-safe.
class ConnectionCount {
 public:
  explicit ConnectionCount(size_t limit) : limit_(limit) {}

  // False if the limit is reached.
  bool TryAdd() {
    absl::MutexLock lock(&mutex_);
    if (open_ >= limit_) return false;
    ++open_;
    return true;
  }

  void Remove() {
    absl::MutexLock lock(&mutex_);
    --open_;
  }

  size_t open() const {
    absl::MutexLock lock(&mutex_);
    return open_;
  }

  // Blocks until none is open; false if that was not so by `deadline`.
  bool AwaitNone(absl::Time deadline) {
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithDeadline(absl::Condition(+[](size_t* open) { return *open == 0; }, &open_), deadline);
  }

 private:
  const size_t limit_;
  mutable absl::Mutex mutex_;
  size_t open_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_CONNECTION_COUNT_H_
