// W3C Trace Context, as far as refund-relay passes it on.
#ifndef REFUND_RELAY_SERVER_INGRESS_TRACE_CONTEXT_H_
#define REFUND_RELAY_SERVER_INGRESS_TRACE_CONTEXT_H_

#include <string_view>

#include "server/ingress/request_head.h"

namespace refund_relay {

// The request's `traceparent`, or empty if it has none, several or an invalid one (the standard says to ignore those).
std::string_view TraceparentOf(const RequestHead& head);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_TRACE_CONTEXT_H_
