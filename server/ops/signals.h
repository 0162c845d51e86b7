// Signals: stop, stop at once, read the files again.
#ifndef REFUND_RELAY_SERVER_OPS_SIGNALS_H_
#define REFUND_RELAY_SERVER_OPS_SIGNALS_H_

#include <functional>
#include <thread>

namespace refund_relay {

// Blocks the signals that `SignalThread` takes and ignores SIGPIPE. Call it first thing in `main`: threads inherit what
// is blocked, and a signal that one of them does not block would end the process. Signals that come before the
// `SignalThread` wait for it.
void BlockSignals();

// Takes signals on a thread of its own, where callbacks may do what a signal handler must not. The destructor joins it.
class SignalThread {
 public:
  // What a second stop signal exits with: neither success nor a failure that was found.
  static constexpr int kStopAtOnceExitCode = 3;

  struct Callbacks {
    // SIGTERM or SIGINT, once: start the orderly stop. A second one ends the process at once.
    std::function<void()> stop;
    // SIGHUP, each time: read watched files again.
    std::function<void()> reload;
  };

  // `BlockSignals` must have been called. The callbacks run on the thread and must not block: while they do, no second
  // signal is seen.
  explicit SignalThread(Callbacks callbacks);
  ~SignalThread();
  SignalThread(const SignalThread&) = delete;
  SignalThread& operator=(const SignalThread&) = delete;

 private:
  void Run();
  void Take(int signal);

  // Constant after construction.
  const Callbacks callbacks_;
  const int signals_;  // file descriptors: the signals, and what wakes the thread to end
  const int wake_;

  bool stopping_ = false;  // only the thread touches it
  std::thread thread_;     // last: it uses all of the above
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_SIGNALS_H_
