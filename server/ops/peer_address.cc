#include "server/ops/peer_address.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstdint>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace refund_relay {
namespace {

namespace ip = boost::asio::ip;

constexpr size_t kNetworkBytes = 8;  // of a /64

ip::address Unmapped(const ip::address_v6& address) {
  if (!address.is_v4_mapped()) return address;
  return ip::make_address_v4(ip::v4_mapped, address);
}

}  // namespace

std::optional<ip::tcp::endpoint> ParseGrpcPeer(std::string_view peer) {
  absl::string_view text(peer.data(), peer.size());
  if (!absl::ConsumePrefix(&text, "ipv4:") && !absl::ConsumePrefix(&text, "ipv6:")) return std::nullopt;
  const size_t colon = text.rfind(':');
  int port = 0;
  if (colon == absl::string_view::npos || !absl::SimpleAtoi(text.substr(colon + 1), &port)) return std::nullopt;
  if (port < 0 || port > std::numeric_limits<uint16_t>::max()) return std::nullopt;
  std::string host = absl::StrReplaceAll(text.substr(0, colon), {{"%5B", ""}, {"%5D", ""}, {"[", ""}, {"]", ""}});
  host = host.substr(0, host.find('%'));  // a zone
  boost::system::error_code error;
  const ip::address address = ip::make_address(host, error);
  if (error) return std::nullopt;
  return ip::tcp::endpoint(address.is_v6() ? Unmapped(address.to_v6()) : address, static_cast<uint16_t>(port));
}

std::optional<ip::tcp::endpoint> EndpointOf(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    return ip::tcp::endpoint(ip::make_address_v4(ntohl(v4.sin_addr.s_addr)), ntohs(v4.sin_port));
  }
  if (address.ss_family != AF_INET6) return std::nullopt;
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  ip::address_v6::bytes_type bytes;
  std::copy(std::begin(v6.sin6_addr.s6_addr), std::end(v6.sin6_addr.s6_addr), bytes.begin());
  return ip::tcp::endpoint(Unmapped(ip::make_address_v6(bytes)), ntohs(v6.sin6_port));
}

PeerAddress PeerAddress::Of(const ip::address& address) {
  PeerAddress peer;
  if (address.is_v4()) {
    peer.bytes_ = ip::make_address_v6(ip::v4_mapped, address.to_v4()).to_bytes();
    return peer;
  }
  peer.bytes_ = address.to_v6().to_bytes();
  if (!address.to_v6().is_v4_mapped()) std::fill(peer.bytes_.begin() + kNetworkBytes, peer.bytes_.end(), 0);
  return peer;
}

PeerAddress PeerAddress::OfGrpcPeer(std::string_view peer) {
  const std::optional<ip::tcp::endpoint> endpoint = ParseGrpcPeer(peer);
  return endpoint.has_value() ? Of(endpoint->address()) : PeerAddress();
}

std::string PeerAddress::ToString() const {
  const ip::address_v6 address = ip::make_address_v6(bytes_);
  if (address.is_v4_mapped()) return ip::make_address_v4(ip::v4_mapped, address).to_string();
  return absl::StrCat(address.to_string(), "/64");
}

}  // namespace refund_relay
