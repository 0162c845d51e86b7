// Whether a webhook with the event id of a stored event is that webhook again, or says something else.
#ifndef REFUND_RELAY_SERVER_STREAM_DUPLICATE_CHECK_H_
#define REFUND_RELAY_SERVER_STREAM_DUPLICATE_CHECK_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "server/log/event_log.h"

namespace refund_relay {

enum class Duplicate {
  kSame,      // the same JSON value, `created_at` aside
  kConflict,  // another one; or the stored event is damaged, so that nobody can tell
  kExpired,   // retention has deleted the stored event: there is nothing left to compare with
};

// Compares `body`, which ParseWebhook has translated to an event with this id, with the stored event. Blocks on
// storage: not for a completion-queue or I/O thread. Thread-safe.
// - UNAVAILABLE: storage cannot be read just now; try again.
absl::StatusOr<Duplicate> CheckDuplicate(EventLog& log, std::string_view event_id, std::string_view body);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_STREAM_DUPLICATE_CHECK_H_
