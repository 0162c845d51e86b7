// Parses the address that a listener binds, such as `127.0.0.1:8080` or `[::1]:0`.
#ifndef REFUND_RELAY_SERVER_INGRESS_LISTEN_ADDRESS_H_
#define REFUND_RELAY_SERVER_INGRESS_LISTEN_ADDRESS_H_

#include <boost/asio/ip/tcp.hpp>
#include <string_view>

#include "absl/status/statusor.h"

namespace refund_relay {

// Takes an IPv4 or bracketed IPv6 address and a port; port 0 picks a free one at bind. Names are not resolved, so that
// a start never depends on DNS. INVALID_ARGUMENT quotes what was given and says what is expected.
absl::StatusOr<boost::asio::ip::tcp::endpoint> ParseListenAddress(std::string_view address);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_LISTEN_ADDRESS_H_
