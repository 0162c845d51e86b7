// AppendCount: how many appends were begun and what the log answered, for the loss audit.
#ifndef REFUND_RELAY_SERVER_STREAM_APPEND_COUNT_H_
#define REFUND_RELAY_SERVER_STREAM_APPEND_COUNT_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "server/log/event_log.h"

namespace refund_relay {

// Every append of the process passes through one of these, so that what the log stored can be compared with what it
// said. Thread-safe.
class AppendCount {
 public:
  // Counts an append as begun; the result counts its outcome, then calls `done`. It may outlive the count.
  EventLog::AppendDone Begin(EventLog::AppendDone done) {
    counts_->begun.fetch_add(1);
    return [counts = counts_, done = std::move(done)](absl::StatusOr<AppendOutcome> outcome) mutable {
      // In this order: who reads `answered` first and `stored` then never misses a stored one.
      if (outcome.ok() && !outcome->duplicate) counts->stored.fetch_add(1);
      counts->answered.fetch_add(1);
      done(std::move(outcome));
    };
  }

  uint64_t begun() const { return counts_->begun.load(); }
  uint64_t answered() const { return counts_->answered.load(); }  // whatever the outcome
  uint64_t stored() const { return counts_->stored.load(); }      // as a new event

 private:
  struct Counts {
    std::atomic<uint64_t> begun = 0;
    std::atomic<uint64_t> answered = 0;
    std::atomic<uint64_t> stored = 0;
  };
  const std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_STREAM_APPEND_COUNT_H_
