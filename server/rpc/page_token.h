// Page tokens of ListEvents: where the next page begins, and for which request.
#ifndef REFUND_RELAY_SERVER_RPC_PAGE_TOKEN_H_
#define REFUND_RELAY_SERVER_RPC_PAGE_TOKEN_H_

#include <optional>
#include <string>
#include <string_view>

#include "refundrelay/v1/refund_event_service.pb.h"

namespace refund_relay {

// A token for the page of `request` that begins after `position`. Opaque to clients; holds nothing secret or personal.
std::string MakePageToken(const refundrelay::v1::ListEventsRequest& request, const refundrelay::v1::Position& position);

// The position in `request.page_token`; unset when the token is none of ours or was made for a request that differs in
// more than its page size.
std::optional<refundrelay::v1::Position> ReadPageToken(const refundrelay::v1::ListEventsRequest& request);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_PAGE_TOKEN_H_
