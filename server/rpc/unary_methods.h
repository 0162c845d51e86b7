// The unary methods of both services, bound to what answers them.
#ifndef REFUND_RELAY_SERVER_RPC_UNARY_METHODS_H_
#define REFUND_RELAY_SERVER_RPC_UNARY_METHODS_H_

#include <functional>
#include <vector>

#include "server/rpc/call_context.h"
#include "server/rpc/event_service.h"
#include "server/rpc/queue_thread.h"

namespace refund_relay {

// For each method a function that makes a queue thread wait for its calls. All arguments must outlive the server; so
// must the result, which owns the methods.
std::vector<std::function<void(QueueThread&)>> BindUnaryMethods(EventService& events, AdminService& admin,
                                                                CallContext& context);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_UNARY_METHODS_H_
