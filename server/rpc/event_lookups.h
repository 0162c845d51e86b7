// The look-ups of RefundEventService, as functions of request and log. They block on storage.
#ifndef REFUND_RELAY_SERVER_RPC_EVENT_LOOKUPS_H_
#define REFUND_RELAY_SERVER_RPC_EVENT_LOOKUPS_H_

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "refundrelay/v1/refund_event_service.pb.h"
#include "server/access/access_policy.h"
#include "server/log/event_log.h"

namespace refund_relay {

// Errors are those that refund_event_service.proto documents for each rpc. Thread-safe. `view` is what the caller sees:
// other events are as if they did not exist, and personal data that it does not see is left out.
absl::StatusOr<refundrelay::v1::GetEventResponse> GetEvent(const refundrelay::v1::GetEventRequest& request,
                                                           const EventView& view, EventLog& log);

absl::StatusOr<refundrelay::v1::ListEventsResponse> ListEvents(const refundrelay::v1::ListEventsRequest& request,
                                                               const EventView& view, absl::Time now, EventLog& log);

// Does not block. The server's own fields are left to the caller.
refundrelay::v1::GetLogInfoResponse GetLogInfo(EventLog& log);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_EVENT_LOOKUPS_H_
