// Page tokens: where the next page of a list begins, and for which request. Opaque to clients; nothing in them is
// secret or personal.
#ifndef REFUND_RELAY_SERVER_RPC_PAGE_TOKEN_H_
#define REFUND_RELAY_SERVER_RPC_PAGE_TOKEN_H_

#include <optional>
#include <string>
#include <string_view>

#include "refundrelay/v1/admin_service.pb.h"
#include "refundrelay/v1/refund_event_service.pb.h"

namespace refund_relay {

// A token for the page of `request` that begins after `place`, which is for the list itself to read. `Request` is any
// message with `page_token` and `page_size`; defined for ListEventsRequest and ListSubscribersRequest.
template <typename Request>
std::string SealPageToken(const Request& request, std::string_view place);

// The place in `request.page_token`; unset when the token is none of ours or was made for a request that differs in
// more than its page size.
template <typename Request>
std::optional<std::string> OpenPageToken(const Request& request);

// The same for ListEvents, whose places are positions.
std::string MakePageToken(const refundrelay::v1::ListEventsRequest& request, const refundrelay::v1::Position& position);
std::optional<refundrelay::v1::Position> ReadPageToken(const refundrelay::v1::ListEventsRequest& request);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_PAGE_TOKEN_H_
