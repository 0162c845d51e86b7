// Turns SIGINT and SIGTERM into a call on a thread of its own, where anything may be done.
#ifndef REFUND_RELAY_CLIENT_REFUNDCTL_SIGNAL_WATCHER_H_
#define REFUND_RELAY_CLIENT_REFUNDCTL_SIGNAL_WATCHER_H_

#include <signal.h>

#include <atomic>
#include <functional>
#include <thread>

namespace refund_relay {

// Create it before any other thread: threads inherit that the signals are blocked. One at a time in a process.
class SignalWatcher {
 public:
  SignalWatcher();
  ~SignalWatcher() { End(); }

  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

  // From now on the first signal calls `on_signal`, and a second one ends the process at once. Call it once;
  // `on_signal` must stay callable until End. A signal that came before is not lost.
  void Start(std::function<void()> on_signal);

  // Joins the thread: `on_signal` is not called any more. The signals stay blocked, for the process is about to end.
  // May be called again.
  void End();

  // The signal that came; 0 = none yet. Thread-safe.
  int signal_number() const { return signal_number_; }

 private:
  sigset_t signals_;
  std::atomic<int> signal_number_ = 0;
  std::thread thread_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_REFUNDCTL_SIGNAL_WATCHER_H_
