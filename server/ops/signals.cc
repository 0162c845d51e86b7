#include "server/ops/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "server/ops/logging.h"

namespace refund_relay {
namespace {

sigset_t TakenSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  return set;
}

// Only the lack of descriptors or memory at start fails here: there is no way on without.
int Required(int descriptor, const char* what) {
  if (descriptor >= 0) return descriptor;
  Log(LogLevel::kError, "cannot take signals", {{"call", what}, {"reason", std::generic_category().message(errno)}});
  std::abort();
}

int OpenSignals() {
  const sigset_t set = TakenSignals();
  return Required(signalfd(-1, &set, SFD_CLOEXEC), "signalfd");
}

}  // namespace

void BlockSignals() {
  const sigset_t set = TakenSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, nullptr);
}

SignalThread::SignalThread(Callbacks callbacks)
    : callbacks_(std::move(callbacks)),
      signals_(OpenSignals()),
      wake_(Required(eventfd(0, EFD_CLOEXEC), "eventfd")),
      thread_([this] { Run(); }) {}

SignalThread::~SignalThread() {
  eventfd_write(wake_, 1);
  thread_.join();
  close(signals_);
  close(wake_);
}

void SignalThread::Run() {
  while (true) {
    pollfd ready[] = {{signals_, POLLIN, 0}, {wake_, POLLIN, 0}};
    if (poll(ready, std::size(ready), /*timeout=*/-1) < 0) continue;  // EINTR
    if (ready[1].revents != 0) return;
    signalfd_siginfo taken{};
    if (read(signals_, &taken, sizeof(taken)) == sizeof(taken)) Take(static_cast<int>(taken.ssi_signo));
  }
}

void SignalThread::Take(int signal) {
  if (signal == SIGHUP) {
    Log(LogLevel::kInfo, "reading watched files again", {{"signal", "SIGHUP"}});
    callbacks_.reload();
    return;
  }
  const char* name = signal == SIGTERM ? "SIGTERM" : "SIGINT";
  if (stopping_) {
    Log(LogLevel::kWarning, "second signal: stopping at once", {{"signal", name}});
    _exit(kStopAtOnceExitCode);
  }
  stopping_ = true;
  Log(LogLevel::kInfo, "stopping; a second signal stops at once", {{"signal", name}});
  callbacks_.stop();
}

}  // namespace refund_relay
