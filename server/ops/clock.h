// The wall clock, injected so that tests can set it.
#ifndef REFUND_RELAY_SERVER_OPS_CLOCK_H_
#define REFUND_RELAY_SERVER_OPS_CLOCK_H_

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace refund_relay {

// Thread-safe. Time-outs and intervals use the steady clock directly; this one is for times that people read.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;

  // The system's clock; lives for ever.
  static const Clock& System();
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_CLOCK_H_
