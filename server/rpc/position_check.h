// Checks positions that come from outside against the log. Blocks on storage.
#ifndef REFUND_RELAY_SERVER_RPC_POSITION_CHECK_H_
#define REFUND_RELAY_SERVER_RPC_POSITION_CHECK_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"
#include "refundrelay/v1/refund_event_service.pb.h"
#include "server/log/event_log.h"
#include "server/rpc/status_table.h"

namespace refund_relay {

refundrelay::v1::Position ToProto(std::string_view log_id, LogPosition position);
google::protobuf::Timestamp ToProto(absl::Time time);
refundrelay::v1::RestoredFrom ToProto(const RestoredFrom& restored_from);

// Adds to `violations` what is wrong with the form of a position, under the name of its field.
void CheckForm(const refundrelay::v1::Position& position, std::string_view field, RequestViolations& violations);

// Reads a time of a request; adds to `violations` when it is no valid time or lies after `now`.
absl::Time CheckPastTime(const google::protobuf::Timestamp& time, absl::Time now, std::string_view field,
                         RequestViolations& violations);

// The position as the log knows it, hash included. In a restored log that is also a position of the log that the backup
// was taken of, up to where it was taken.
// - FAILED_PRECONDITION: LOG_ID_CHANGED, POSITION_AHEAD or POSITION_MISMATCH; OUT_OF_RANGE: POSITION_EXPIRED. See
//   RefundEventService for what they mean to a client.
absl::StatusOr<LogPosition> ResolvePosition(EventLog& log, const refundrelay::v1::Position& position);

// The position before the oldest stored event.
absl::StatusOr<LogPosition> EarliestPosition(EventLog& log);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_POSITION_CHECK_H_
