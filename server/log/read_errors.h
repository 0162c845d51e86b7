// Checks and errors of reading that every log shares.
#ifndef REFUND_RELAY_SERVER_LOG_READ_ERRORS_H_
#define REFUND_RELAY_SERVER_LOG_READ_ERRORS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace refund_relay {

// OK when `sequence` is a position of a log that holds events from `first_sequence` to `last_sequence`: one of them, or
// the one just before. Else OUT_OF_RANGE, POSITION_EXPIRED or FAILED_PRECONDITION, POSITION_AHEAD.
absl::Status CheckPosition(uint64_t sequence, uint64_t first_sequence, uint64_t last_sequence);

// DATA_LOSS, CHECKSUM {sequence}: no record stands at `sequence`, although it was neither trimmed nor is it to come.
// Readers treat it as a damaged record.
absl::Status MissingRecordError(uint64_t sequence);

// NOT_FOUND, EVENT_UNKNOWN and EVENT_EXPIRED {sequence}.
absl::Status EventUnknownError();
absl::Status EventExpiredError(uint64_t sequence);

// OUT_OF_RANGE, POSITION_EXPIRED {first_sequence}: events at or after the time asked for may be gone.
absl::Status TimeExpiredError(absl::Time asked, uint64_t first_sequence);

// The least number of whole microseconds that is not before `time`: stored times compare with it.
int64_t CeilToUnixMicros(absl::Time time);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_READ_ERRORS_H_
