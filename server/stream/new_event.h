// A translated event as the log takes it: its bytes, and the columns that stand beside them.
#ifndef REFUND_RELAY_SERVER_STREAM_NEW_EVENT_H_
#define REFUND_RELAY_SERVER_STREAM_NEW_EVENT_H_

#include "refundrelay/v1/refund_event.pb.h"
#include "server/log/event_log.h"

namespace refund_relay {

// A pure function. Debug builds check that the bytes parse back.
NewEvent ToNewEvent(const refundrelay::v1::RefundEvent& event);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_STREAM_NEW_EVENT_H_
