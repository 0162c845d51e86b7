// PeriodicThread: a thread that does the same thing again and again, with rests in between, until it is stopped.
#ifndef REFUND_RELAY_SERVER_OPS_PERIODIC_THREAD_H_
#define REFUND_RELAY_SERVER_OPS_PERIODIC_THREAD_H_

#include <atomic>
#include <functional>
#include <thread>

#include "absl/time/time.h"
#include "server/ops/rest.h"

namespace refund_relay {

// `Start` and `Stop` belong to one thread; `Wake` and `stop_requested` are thread-safe.
class PeriodicThread {
 public:
  PeriodicThread() = default;
  // Stops. An owner whose other members the thread uses declares it last.
  ~PeriodicThread() { Stop(); }
  PeriodicThread(const PeriodicThread&) = delete;
  PeriodicThread& operator=(const PeriodicThread&) = delete;

  // Rests for `first_rest`, then calls `run_once` again and again, each time resting for as long as it says.
  void Start(absl::Duration first_rest, std::function<absl::Duration()> run_once);

  // Ends the thread: a rest at once, a run when it returns. May be called again, and without Start.
  void Stop();

  // Any thread. Ends the rest under way, or the next one: the next run comes at once.
  void Wake() { rest_.Cut(); }

  // For runs that take long: whether they should end early.
  bool stop_requested() const { return stop_requested_; }

 private:
  void Run(absl::Duration first_rest, const std::function<absl::Duration()>& run_once);

  Rest rest_;
  std::atomic<bool> stop_requested_ = false;
  std::thread thread_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_PERIODIC_THREAD_H_
