// AdminService's rpcs around the quarantine, but for the retry.
#ifndef REFUND_RELAY_SERVER_RPC_QUARANTINE_CALLS_H_
#define REFUND_RELAY_SERVER_RPC_QUARANTINE_CALLS_H_

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "refundrelay/v1/admin_service.pb.h"
#include "server/log/quarantine.h"

namespace refund_relay {

// At most this many webhooks are named in one request.
inline constexpr int kMostQuarantineIds = 1000;

// Blocks on storage. Errors as documented at the rpc. Without `show_bodies` there are none, even if asked for.
absl::StatusOr<refundrelay::v1::ListQuarantinedWebhooksResponse> ListQuarantinedWebhooks(
    const refundrelay::v1::ListQuarantinedWebhooksRequest& request, bool show_bodies, Quarantine& quarantine);

// Does not block; `answer` comes once, from any thread, after the last deletion is durable. Where a deletion failed it
// is that error: those that were deleted before it stay so, and repeating the request is safe.
void DiscardQuarantinedWebhooks(
    const refundrelay::v1::DiscardQuarantinedWebhooksRequest& request, Quarantine& quarantine,
    absl::AnyInvocable<void(absl::StatusOr<refundrelay::v1::DiscardQuarantinedWebhooksResponse>)> answer);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_QUARANTINE_CALLS_H_
