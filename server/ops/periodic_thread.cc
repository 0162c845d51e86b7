#include "server/ops/periodic_thread.h"

#include <utility>

namespace refund_relay {

void PeriodicThread::Start(absl::Duration first_rest, std::function<absl::Duration()> run_once) {
  thread_ = std::thread([this, first_rest, run_once = std::move(run_once)] { Run(first_rest, run_once); });
}

void PeriodicThread::Stop() {
  stop_requested_ = true;
  rest_.Cut();
  if (thread_.joinable()) thread_.join();
}

void PeriodicThread::Run(absl::Duration first_rest, const std::function<absl::Duration()>& run_once) {
  absl::Duration rest = first_rest;
  while (true) {
    rest_.For(rest);
    if (stop_requested_) return;
    rest = run_once();
  }
}

}  // namespace refund_relay
