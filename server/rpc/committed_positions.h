// The rpcs around committed positions, and the start COMMITTED.
#ifndef REFUND_RELAY_SERVER_RPC_COMMITTED_POSITIONS_H_
#define REFUND_RELAY_SERVER_RPC_COMMITTED_POSITIONS_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "refundrelay/v1/admin_service.pb.h"
#include "refundrelay/v1/refund_event_service.pb.h"
#include "server/log/event_log.h"
#include "server/log/position_store.h"

namespace refund_relay {

// Checks a CommitPosition request by itself and against the log, which blocks on storage; what is left is
// PositionStore::Commit. A position that retention has deleted meanwhile is fine: it was handled. Errors as documented
// at the rpc.
absl::StatusOr<PositionCommit> CheckCommitPosition(const refundrelay::v1::CommitPositionRequest& request,
                                                   EventLog& log);

// Does not block.
absl::StatusOr<refundrelay::v1::GetCommittedPositionResponse> GetCommittedPosition(
    const refundrelay::v1::GetCommittedPositionRequest& request, std::string_view log_id, PositionStore& positions);

// INVALID_ARGUMENT when the name is none.
absl::Status CheckDeleteCommittedPosition(const refundrelay::v1::DeleteCommittedPositionRequest& request);

// The start of a subscription from the committed position of `subscriber_name`; the earliest position if there is none.
// `shown` is the filter asked for, normalised, before a policy narrows it. Blocks on storage. Errors as documented at
// RefundEventService.Subscribe.
absl::StatusOr<LogPosition> CommittedStart(std::string_view subscriber_name, const refundrelay::v1::EventFilter& shown,
                                           EventLog& log, PositionStore& positions);

// The filter that was committed with `position`. DATA_LOSS if it cannot be read.
absl::StatusOr<refundrelay::v1::EventFilter> FilterOf(const CommittedPosition& position);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_COMMITTED_POSITIONS_H_
