#include "server/rpc/committed_positions.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/log/status_reason.h"
#include "server/rpc/filter_request.h"
#include "server/rpc/position_check.h"
#include "server/rpc/proto_json.h"
#include "server/rpc/status_table.h"
#include "server/rpc/subscribe_request.h"

namespace refund_relay {
namespace {

namespace v1 = refundrelay::v1;

// An empty list admits everything; both are sorted.
bool Admits(const std::vector<std::string>& wide, const std::vector<std::string>& narrow) {
  if (wide.empty()) return true;
  return !narrow.empty() && std::includes(wide.begin(), wide.end(), narrow.begin(), narrow.end());
}

// Whether every event that `narrow` admits is admitted by `wide`.
bool Admits(const EventFilter& wide, const EventFilter& narrow) {
  return Admits(wide.event_names, narrow.event_names) && Admits(wide.client_ids, narrow.client_ids);
}

absl::Status FilterWidenedError(const v1::EventFilter& committed) {
  return WithReason(absl::FailedPreconditionError(
                        "the position was committed by a subscription with a narrower filter, so older events "
                        "of this one would be skipped; start elsewhere, knowingly, and commit from there"),
                    "FILTER_WIDENED", {{"filter", ProtoJson(committed)}});
}

}  // namespace

absl::StatusOr<v1::EventFilter> FilterOf(const CommittedPosition& position) {
  v1::EventFilter filter;
  if (!filter.ParseFromString(position.filter)) {
    return absl::DataLossError(
        absl::StrCat("the filter of the position committed by ", position.subscriber_name, " cannot be read"));
  }
  return filter;
}

absl::StatusOr<PositionCommit> CheckCommitPosition(const v1::CommitPositionRequest& request, EventLog& log) {
  RequestViolations violations;
  CheckName(request.subscriber_name(), violations);
  CheckForm(request.position(), "position", violations);
  NormalisedFilter filter = NormaliseFilter(request.filter(), violations);
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;

  PositionCommit commit;
  commit.subscriber_name = request.subscriber_name();
  commit.filter = filter.shown.SerializeAsString();
  if (request.has_expected_version()) commit.expected_version = request.expected_version();
  const absl::StatusOr<LogPosition> position = ResolvePosition(log, request.position());
  if (position.ok()) {
    commit.position = *position;
  } else if (absl::IsOutOfRange(position.status())) {
    commit.position = {request.position().sequence(), request.position().event_hash()};
  } else {
    return position.status();
  }
  return commit;
}

absl::StatusOr<v1::GetCommittedPositionResponse> GetCommittedPosition(const v1::GetCommittedPositionRequest& request,
                                                                      std::string_view log_id,
                                                                      PositionStore& positions) {
  RequestViolations violations;
  CheckName(request.subscriber_name(), violations);
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  v1::GetCommittedPositionResponse response;
  const std::optional<CommittedPosition> position = positions.Get(request.subscriber_name());
  if (!position.has_value()) return response;
  absl::StatusOr<v1::EventFilter> filter = FilterOf(*position);
  if (!filter.ok()) return filter.status();
  *response.mutable_position() = ToProto(log_id, position->position);
  response.set_version(position->version);
  *response.mutable_filter() = *std::move(filter);
  return response;
}

absl::Status CheckDeleteCommittedPosition(const v1::DeleteCommittedPositionRequest& request) {
  RequestViolations violations;
  CheckName(request.subscriber_name(), violations);
  return violations.ToStatus();
}

absl::StatusOr<LogPosition> CommittedStart(std::string_view subscriber_name, const v1::EventFilter& shown,
                                           EventLog& log, PositionStore& positions) {
  const std::optional<CommittedPosition> committed = positions.Get(subscriber_name);
  if (!committed.has_value()) return EarliestPosition(log);
  const absl::StatusOr<v1::EventFilter> filter = FilterOf(*committed);
  if (!filter.ok()) return filter.status();
  // Both as requested and resolved to names by this build. A committed filter that this build does not understand (it
  // is older than the one that took it) cannot be compared, and that counts as narrower.
  RequestViolations of_committed;
  RequestViolations of_asked;
  const NormalisedFilter wide = NormaliseFilter(*filter, of_committed);
  const NormalisedFilter narrow = NormaliseFilter(shown, of_asked);
  if (!of_committed.ToStatus().ok() || !Admits(wide.matching, narrow.matching)) return FilterWidenedError(*filter);
  return ResolvePosition(log, ToProto(log.Info().log_id, committed->position));
}

}  // namespace refund_relay
