#include "server/log/status_reason.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace refund_relay {
namespace {

constexpr char kTypeUrl[] = "type.googleapis.com/google.rpc.ErrorInfo";

}  // namespace

absl::Status WithReason(absl::Status status, std::string_view reason,
                        std::initializer_list<std::pair<std::string_view, std::string>> metadata) {
  refundrelay::v1::ErrorInfo info;
  info.set_reason(std::string(reason));
  info.set_domain("refund-relay");
  for (const auto& [key, value] : metadata) (*info.mutable_metadata())[std::string(key)] = value;
  // Not Cord(std::string&&): clang 18 and newer mangle that template otherwise than the g++ that built Abseil.
  const std::string bytes = info.SerializeAsString();
  status.SetPayload(kTypeUrl, absl::Cord(absl::string_view(bytes)));
  return status;
}

std::optional<refundrelay::v1::ErrorInfo> ReasonOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kTypeUrl);
  if (!payload.has_value()) return std::nullopt;
  refundrelay::v1::ErrorInfo info;
  if (!info.ParseFromString(std::string(*payload))) return std::nullopt;
  return info;
}

absl::Status PositionExpiredError(uint64_t asked_sequence, uint64_t first_sequence) {
  return WithReason(
      absl::OutOfRangeError(absl::StrCat("events after sequence ", asked_sequence,
                                         " were deleted by retention; the oldest one stored is ", first_sequence,
                                         ". Repair what is missing, then start from EARLIEST")),
      "POSITION_EXPIRED", {{"first_sequence", absl::StrCat(first_sequence)}});
}

absl::Status ChecksumError(uint64_t sequence) {
  return WithReason(absl::DataLossError(absl::StrCat("the record at sequence ", sequence,
                                                     " is damaged; restore a backup, or start after that sequence "
                                                     "(event_hash 0) to pass over it knowingly")),
                    "CHECKSUM", {{"sequence", absl::StrCat(sequence)}});
}

absl::Status PositionAheadError(uint64_t asked_sequence, uint64_t last_sequence) {
  return WithReason(absl::FailedPreconditionError(absl::StrCat("the position is at sequence ", asked_sequence,
                                                               ", but the log ends at ", last_sequence,
                                                               ": it lost events, or the position is of another log")),
                    "POSITION_AHEAD");
}

absl::Status PositionMismatchError(uint64_t sequence) {
  return WithReason(absl::FailedPreconditionError(absl::StrCat(
                        "another event stands at sequence ", sequence,
                        " than the one that the position names: the log's history was replaced since it was read")),
                    "POSITION_MISMATCH");
}

}  // namespace refund_relay
