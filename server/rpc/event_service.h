// The gRPC services as the completion queues see them: Subscribe raw, everything else typed, nothing on gRPC's own
// threads.
#ifndef REFUND_RELAY_SERVER_RPC_EVENT_SERVICE_H_
#define REFUND_RELAY_SERVER_RPC_EVENT_SERVICE_H_

#include "refundrelay/v1/admin_service.grpc.pb.h"
#include "refundrelay/v1/refund_event_service.grpc.pb.h"

namespace refund_relay {

namespace rpc_internal {
using Events = refundrelay::v1::RefundEventService;
using Admin = refundrelay::v1::AdminService;
}  // namespace rpc_internal

// A method left unwrapped would silently fall to synchronous threads: all are wrapped.
using EventService = rpc_internal::Events::WithRawMethod_Subscribe<
    rpc_internal::Events::WithAsyncMethod_ListEvents<rpc_internal::Events::WithAsyncMethod_GetEvent<
        rpc_internal::Events::WithAsyncMethod_GetLogInfo<rpc_internal::Events::WithAsyncMethod_CommitPosition<
            rpc_internal::Events::WithAsyncMethod_GetCommittedPosition<rpc_internal::Events::Service>>>>>>;

using AdminService = rpc_internal::Admin::AsyncService;

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_EVENT_SERVICE_H_
