#include "server/ingress/listen_address.h"

#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace refund_relay {
namespace {

absl::Status BadAddress(std::string_view address) {
  return absl::InvalidArgumentError(absl::StrCat(
      "'", absl::string_view(address.data(), address.size()),
      "' is not an address to listen on; write <IPv4>:<port> or [<IPv6>]:<port>, such as 127.0.0.1:8080 or "
      "[::1]:8080 (port 0 picks a free one)"));
}

}  // namespace

absl::StatusOr<boost::asio::ip::tcp::endpoint> ParseListenAddress(std::string_view address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return BadAddress(address);
  std::string_view host = address.substr(0, colon);
  const std::string_view port_text = address.substr(colon + 1);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);

  uint16_t port = 0;
  const auto [end, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error != std::errc() || end != port_text.data() + port_text.size()) return BadAddress(address);

  boost::system::error_code ec;
  const auto ip = boost::asio::ip::make_address(std::string(host), ec);
  if (ec || ip.is_v6() != bracketed) return BadAddress(address);
  return boost::asio::ip::tcp::endpoint(ip, port);
}

}  // namespace refund_relay
