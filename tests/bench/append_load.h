// AppendLoad: keeps a number of appends to a log waiting, and measures how long each one takes.
#ifndef REFUND_RELAY_TESTS_BENCH_APPEND_LOAD_H_
#define REFUND_RELAY_TESTS_BENCH_APPEND_LOAD_H_

#include <cstdint>
#include <functional>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/log/event_log.h"
#include "tests/bench/latencies.h"

namespace refund_relay::bench {

// Each answer sends the next one, until `end` or until `most` were sent. Used once.
class AppendLoad {
 public:
  // `make` makes the next event; it is called by one thread at a time.
  AppendLoad(EventLog& log, std::function<NewEvent()> make, absl::Time end, uint64_t most = ~uint64_t{0})
      : log_(log), make_(std::move(make)), end_(end), left_(most) {}

  // Runs with `waiting` appends under way, until all are answered.
  void Run(int waiting) {
    running_ = waiting;
    started_ = absl::Now();
    for (int i = 0; i < waiting; ++i) Send();
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(+[](int* running) { return *running == 0; }, &running_));
    seconds_ = absl::ToDoubleSeconds(absl::Now() - started_);
  }

  Latencies& latencies() { return latencies_; }
  double per_second() const { return static_cast<double>(latencies_.size()) / seconds_; }
  int failed() const { return failed_; }

 private:
  void Send() {
    NewEvent event;
    {
      absl::MutexLock lock(&make_mu_);
      event = make_();
    }
    const int64_t start = absl::GetCurrentTimeNanos();
    log_.Append(std::move(event), [this, start](const absl::StatusOr<AppendOutcome>& outcome) {
      const int64_t now = absl::GetCurrentTimeNanos();
      latencies_.Add(now - start);  // answers come on one thread
      if (!outcome.ok()) ++failed_;
      if (outcome.ok() && absl::FromUnixNanos(now) < end_ && latencies_.size() < left_) {
        Send();
        return;
      }
      absl::MutexLock lock(&mu_);
      --running_;
    });
  }

  EventLog& log_;
  const std::function<NewEvent()> make_;
  const absl::Time end_;
  const uint64_t left_;
  absl::Time started_;
  double seconds_ = 1;
  Latencies latencies_;
  int failed_ = 0;
  absl::Mutex make_mu_;
  absl::Mutex mu_;
  int running_ = 0;
};

}  // namespace refund_relay::bench

#endif  // REFUND_RELAY_TESTS_BENCH_APPEND_LOAD_H_
