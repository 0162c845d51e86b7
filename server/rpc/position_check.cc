#include "server/rpc/position_check.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "server/log/status_reason.h"
#include "server/rpc/proto_json.h"

namespace refund_relay {

refundrelay::v1::Position ToProto(std::string_view log_id, LogPosition position) {
  refundrelay::v1::Position proto;
  proto.set_log_id(std::string(log_id));
  proto.set_sequence(position.sequence);
  proto.set_event_hash(position.event_hash);
  return proto;
}

google::protobuf::Timestamp ToProto(absl::Time time) {
  google::protobuf::Timestamp proto;
  const int64_t seconds = absl::ToUnixSeconds(time);  // rounds down
  proto.set_seconds(seconds);
  proto.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
  return proto;
}

void CheckForm(const refundrelay::v1::Position& position, std::string_view field, RequestViolations& violations) {
  if (position.log_id().empty()) {
    violations.Add(absl::StrCat(absl::string_view(field.data(), field.size()), ".log_id"),
                   "must be the log_id of the position that the server sent");
  }
}

absl::Time CheckPastTime(const google::protobuf::Timestamp& time, absl::Time now, std::string_view field,
                         RequestViolations& violations) {
  constexpr int64_t kYear1 = -62135596800;
  constexpr int64_t kYear10000 = 253402300800;
  if (time.seconds() < kYear1 || time.seconds() >= kYear10000 || time.nanos() < 0 || time.nanos() > 999'999'999) {
    violations.Add(field, "is not a valid time: seconds within the years 1 to 9999, nanos 0 to 999999999");
    return absl::UnixEpoch();
  }
  const absl::Time result = absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
  if (result > now) violations.Add(field, "is a time to come; the server's clock has not reached it");
  return result;
}

refundrelay::v1::RestoredFrom ToProto(const RestoredFrom& restored_from) {
  refundrelay::v1::RestoredFrom proto;
  proto.set_log_id(restored_from.log_id);
  proto.set_last_sequence(restored_from.last_sequence);
  return proto;
}

namespace {

absl::Status LogIdChangedError(const LogInfo& info, const refundrelay::v1::Position& position) {
  if (!info.restored_from.has_value()) {
    return WithReason(absl::FailedPreconditionError(
                          absl::StrCat("the position is of another log than this one, ", info.log_id,
                                       ": the history is another one; reconcile, then start from EARLIEST or a time")),
                      "LOG_ID_CHANGED");
  }
  const bool is_past_the_backup = position.log_id() == info.restored_from->log_id;
  return WithReason(
      absl::FailedPreconditionError(absl::StrCat(
          is_past_the_backup ? absl::StrCat("the position, at sequence ", position.sequence(),
                                            ", lies past the backup that this log was restored from")
                             : absl::StrCat("the position is of another log than this one, ", info.log_id,
                                            ", and than the one that it was restored from"),
          "; the backup ends at sequence ", info.restored_from->last_sequence, " of ", info.restored_from->log_id,
          ": reconcile what was handled after that, then start from EARLIEST, a time or a position of this log")),
      "LOG_ID_CHANGED", {{"restored_from", ProtoJson(ToProto(*info.restored_from))}});
}

bool IsOfThisHistory(const LogInfo& info, const refundrelay::v1::Position& position) {
  if (position.log_id() == info.log_id) return true;
  return info.restored_from.has_value() && position.log_id() == info.restored_from->log_id &&
         position.sequence() <= info.restored_from->last_sequence;
}

}  // namespace

absl::StatusOr<LogPosition> ResolvePosition(EventLog& log, const refundrelay::v1::Position& position) {
  const LogInfo info = log.Info();
  if (!IsOfThisHistory(info, position)) return LogIdChangedError(info, position);
  absl::StatusOr<LogPosition> resolved = log.PositionAt(position.sequence());
  if (!resolved.ok()) return resolved;
  if (position.event_hash() != 0 && resolved->event_hash != 0 && position.event_hash() != resolved->event_hash) {
    return PositionMismatchError(position.sequence());
  }
  return resolved;
}

absl::StatusOr<LogPosition> EarliestPosition(EventLog& log) {
  for (;;) {
    const uint64_t first = log.Info().first_sequence;
    absl::StatusOr<LogPosition> position = log.PositionAt(first - 1);
    // Retention may delete events between the two questions; it moves on, and so does this.
    if (!absl::IsOutOfRange(position.status()) || log.Info().first_sequence == first) return position;
  }
}

}  // namespace refund_relay
