// Checks and normalises the filter of a request.
#ifndef REFUND_RELAY_SERVER_RPC_FILTER_REQUEST_H_
#define REFUND_RELAY_SERVER_RPC_FILTER_REQUEST_H_

#include "refundrelay/v1/refund_event_service.pb.h"
#include "server/log/event_filter.h"
#include "server/rpc/status_table.h"

namespace refund_relay {

// A filter as the log matches it, and as the peer is shown it.
struct NormalisedFilter {
  EventFilter matching;                // types resolved to event names
  refundrelay::v1::EventFilter shown;  // sorted, without doubles, without names that a listed type stands for
};

// Adds what is wrong with `filter` to `violations`, under `filter.`; the result is of use only if nothing was.
NormalisedFilter NormaliseFilter(const refundrelay::v1::EventFilter& filter, RequestViolations& violations);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_FILTER_REQUEST_H_
