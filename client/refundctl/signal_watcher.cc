#include "client/refundctl/signal_watcher.h"

#include <pthread.h>
#include <unistd.h>

#include <utility>

#include "client/refundctl/exit_code.h"

namespace refund_relay {
namespace {

// Sent by the destructor to its own thread.
constexpr int kEnd = SIGUSR2;

}  // namespace

SignalWatcher::SignalWatcher() {
  sigemptyset(&signals_);
  for (const int signal : {SIGINT, SIGTERM, kEnd}) sigaddset(&signals_, signal);
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
}

void SignalWatcher::End() {
  if (!thread_.joinable()) return;
  pthread_kill(thread_.native_handle(), kEnd);
  thread_.join();
}

void SignalWatcher::Start(std::function<void()> on_signal) {
  thread_ = std::thread([this, on_signal = std::move(on_signal)] {
    for (;;) {
      int signal = 0;
      if (sigwait(&signals_, &signal) != 0 || signal == kEnd) return;
      if (signal_number_ != 0) _exit(kExitSignalBase + signal);
      signal_number_ = signal;
      on_signal();
    }
  });
}

}  // namespace refund_relay
