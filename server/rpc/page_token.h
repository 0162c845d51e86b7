// Page tokens of the listing rpcs: where the next page begins, and for which request.
#ifndef REFUND_RELAY_SERVER_RPC_PAGE_TOKEN_H_
#define REFUND_RELAY_SERVER_RPC_PAGE_TOKEN_H_

#include <google/protobuf/message.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/rpc/status_table.h"

namespace refund_relay {

// Of every listing rpc: 0 in a request = the default.
inline constexpr uint32_t kDefaultPageSize = 100;
inline constexpr uint32_t kMostPageSize = 1000;

// The page size that is meant by `asked`; adds to `violations`, under `page_size`, when it is too large.
uint32_t CheckPageSize(uint32_t asked, RequestViolations& violations);

// A token for the page of `request` (which has fields `page_size` and `page_token`) that begins at `place`, bytes of
// the caller's. Opaque to clients; holds nothing secret or personal if `place` does not.
std::string MakePageToken(const google::protobuf::Message& request, std::string_view place);

// The place in the `page_token` of `request`; unset, and added to `violations`, when the token is none of ours or was
// made for a request that differs in more than its page size. Empty when there is no token.
std::optional<std::string> ReadPageToken(const google::protobuf::Message& request, RequestViolations& violations);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_PAGE_TOKEN_H_
