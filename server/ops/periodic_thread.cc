#include "server/ops/periodic_thread.h"

#include <utility>

namespace refund_relay {

void PeriodicThread::Start(absl::Duration first_rest, std::function<absl::Duration()> run_once) {
  thread_ = std::thread([this, first_rest, run_once = std::move(run_once)] { Run(first_rest, run_once); });
}

void PeriodicThread::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stop_requested_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

bool PeriodicThread::stop_requested() {
  absl::MutexLock lock(&mutex_);
  return stop_requested_;
}

void PeriodicThread::Run(absl::Duration rest, const std::function<absl::Duration()>& run_once) {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      if (mutex_.AwaitWithTimeout(absl::Condition(&stop_requested_), rest)) return;
    }
    rest = run_once();
  }
}

}  // namespace refund_relay
