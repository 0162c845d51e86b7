// Waiting that can be cut short; injected, so that tests do not wait.
#ifndef REFUND_RELAY_SLEEPER_H_
#define REFUND_RELAY_SLEEPER_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace refund_relay {

// Thread-safe.
class Sleeper {
 public:
  virtual ~Sleeper() = default;

  // Blocks for `duration`, or until Wake was called, before or meanwhile.
  virtual void Sleep(absl::Duration duration) = 0;

  // Ends this sleep and all further ones.
  virtual void Wake() = 0;
};

// Really sleeps.
class SystemSleeper final : public Sleeper {
 public:
  void Sleep(absl::Duration duration) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Wake() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Mutex mutex_;
  bool awake_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SLEEPER_H_
