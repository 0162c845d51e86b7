// The bounds of a log's queue and of its commits.
#ifndef REFUND_RELAY_SERVER_LOG_LOG_LIMITS_H_
#define REFUND_RELAY_SERVER_LOG_LOG_LIMITS_H_

#include <cstddef>

namespace refund_relay {

// Appends that may be unanswered at a time; the next is refused with RESOURCE_EXHAUSTED.
inline constexpr size_t kDefaultQueueLimitEvents = 16384;
inline constexpr size_t kDefaultQueueLimitBytes = size_t{64} << 20;
// What one commit holds at most. Bounds how long the first of a batch waits for the last.
inline constexpr size_t kDefaultMaxBatchEvents = 1024;
inline constexpr size_t kDefaultMaxBatchBytes = size_t{4} << 20;

struct LogLimits {
  size_t queue_limit_events = kDefaultQueueLimitEvents;
  size_t queue_limit_bytes = kDefaultQueueLimitBytes;
  size_t max_batch_events = kDefaultMaxBatchEvents;
  size_t max_batch_bytes = kDefaultMaxBatchBytes;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_LOG_LIMITS_H_
