#include "server/log/read_errors.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "server/log/status_reason.h"

namespace refund_relay {

absl::Status CheckPosition(uint64_t sequence, uint64_t first_sequence, uint64_t last_sequence) {
  if (sequence > last_sequence) return PositionAheadError(sequence, last_sequence);
  if (sequence + 1 < first_sequence) return PositionExpiredError(sequence, first_sequence);
  return absl::OkStatus();
}

absl::Status MissingRecordError(uint64_t sequence) {
  return WithReason(
      absl::DataLossError(absl::StrCat("the record at sequence ", sequence,
                                       " is missing, though retention did not delete it; restore a backup, or start "
                                       "after that sequence (event_hash 0) to pass over it knowingly")),
      "CHECKSUM", {{"sequence", absl::StrCat(sequence)}});
}

absl::Status EventUnknownError() {
  return WithReason(absl::NotFoundError("no event with this id was ever stored in this log"), "EVENT_UNKNOWN");
}

absl::Status EventExpiredError(uint64_t sequence) {
  return WithReason(absl::NotFoundError(absl::StrCat("the event was stored at sequence ", sequence,
                                                     " and has been deleted by retention")),
                    "EVENT_EXPIRED", {{"sequence", absl::StrCat(sequence)}});
}

absl::Status TimeExpiredError(absl::Time asked, uint64_t first_sequence) {
  return WithReason(
      absl::OutOfRangeError(absl::StrCat("events at or after ", absl::FormatTime(asked, absl::UTCTimeZone()),
                                         " may have been deleted by retention; the oldest one stored has sequence ",
                                         first_sequence, ". Repair what is missing, then start from EARLIEST")),
      "POSITION_EXPIRED", {{"first_sequence", absl::StrCat(first_sequence)}});
}

int64_t CeilToUnixMicros(absl::Time time) {
  const int64_t micros = absl::ToUnixMicros(time);
  if (micros == std::numeric_limits<int64_t>::max()) return micros;
  return absl::FromUnixMicros(micros) < time ? micros + 1 : micros;
}

}  // namespace refund_relay
