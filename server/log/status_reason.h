// The machine-readable reason of an error status: what gRPC clients later find in google.rpc.ErrorInfo.
#ifndef REFUND_RELAY_SERVER_LOG_STATUS_REASON_H_
#define REFUND_RELAY_SERVER_LOG_STATUS_REASON_H_

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "refundrelay/v1/rpc_status.pb.h"

namespace refund_relay {

// Returns `status` with a reason such as `POSITION_EXPIRED` and its metadata attached. Without effect on an OK status.
// Where no reason is attached, the status code alone tells what a client must do.
absl::Status WithReason(absl::Status status, std::string_view reason,
                        std::initializer_list<std::pair<std::string_view, std::string>> metadata = {});

// The reason attached by `WithReason`, if any.
std::optional<refundrelay::v1::ErrorInfo> ReasonOf(const absl::Status& status);

// OUT_OF_RANGE, POSITION_EXPIRED {first_sequence}: events after the position asked for were deleted by retention.
absl::Status PositionExpiredError(uint64_t asked_sequence, uint64_t first_sequence);

// DATA_LOSS, CHECKSUM {sequence}: the record at `sequence` is damaged.
absl::Status ChecksumError(uint64_t sequence);

// FAILED_PRECONDITION, POSITION_AHEAD: the log ends at `last_sequence`, before the position asked for.
absl::Status PositionAheadError(uint64_t asked_sequence, uint64_t last_sequence);

// FAILED_PRECONDITION, POSITION_MISMATCH: another event stands at `sequence` than the one that the position names.
absl::Status PositionMismatchError(uint64_t sequence);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_STATUS_REASON_H_
