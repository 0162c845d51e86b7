// What the access policy makes of a request. Each refusal is PERMISSION_DENIED, NOT_ALLOWED {right}: it tells what was
// asked for and which right that needs, never what exists.
#ifndef REFUND_RELAY_SERVER_RPC_ACCESS_CHECKS_H_
#define REFUND_RELAY_SERVER_RPC_ACCESS_CHECKS_H_

#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "refundrelay/v1/refund_event_service.pb.h"
#include "server/access/access_policy.h"
#include "server/access/caller.h"
#include "server/rpc/filter_request.h"
#include "server/rpc/subscribe_request.h"

namespace refund_relay {

// All are pure.

// `asked` narrowed to what `view` sees. Types and names that were asked for must all be seen; without any, what is seen
// is meant. A view that sees nothing is refused, because an empty filter would admit everything.
absl::StatusOr<NormalisedFilter> NarrowFilter(const NormalisedFilter& asked, const EventView& view);

// Narrows a well-formed request to the rights of `caller` under the name that it asks for.
absl::Status NarrowSubscribe(const Caller& caller, CheckedSubscribe& request);

absl::Status CheckMayAdminister(const Caller& caller);
absl::Status CheckMayLookUp(const Caller& caller, const refundrelay::v1::ListEventsRequest& request);
// For CommitPosition and GetCommittedPosition.
absl::Status CheckMayCommitFor(const Caller& caller, std::string_view subscriber_name);
// Under a name of the caller's own, only a filter that it could subscribe with is remembered. An ill-formed one is not
// judged here.
absl::Status CheckCommittedFilter(const Caller& caller, const refundrelay::v1::CommitPositionRequest& request);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_ACCESS_CHECKS_H_
