// Positions as text, for people and files: LOG_ID:SEQUENCE:HASH.
#ifndef REFUND_RELAY_POSITION_TEXT_H_
#define REFUND_RELAY_POSITION_TEXT_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "refundrelay/v1/refund_event_service.pb.h"

namespace refund_relay {

// `LOG_ID:SEQUENCE:HASH`; the sequence in decimal, the hash as 16 hex digits, left out when it is 0. Pure.
std::string FormatPosition(const refundrelay::v1::Position& position);

// The inverse. Without a hash, `event_hash` is 0: the server does not check which event stands there. Pure.
// - INVALID_ARGUMENT: not of that form.
absl::StatusOr<refundrelay::v1::Position> ParsePosition(std::string_view text);

// The position right after `delivery` in the log `log_id`, for stopping within a batch. Pure.
refundrelay::v1::Position PositionAfter(const std::string& log_id, const refundrelay::v1::Delivery& delivery);

}  // namespace refund_relay

#endif  // REFUND_RELAY_POSITION_TEXT_H_
