#include "server/ops/peer_address.h"

#include <netinet/in.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace refund_relay {
namespace {

namespace ip = boost::asio::ip;

constexpr size_t kNetworkBytes = 8;  // of a /64

}  // namespace

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

PeerAddress PeerAddress::OfSocketAddress(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    return Of(ip::make_address_v4(ntohl(v4.sin_addr.s_addr)));
  }
  if (address.ss_family != AF_INET6) return {};
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  ip::address_v6::bytes_type bytes;
  std::copy(std::begin(v6.sin6_addr.s6_addr), std::end(v6.sin6_addr.s6_addr), bytes.begin());
  return Of(ip::make_address_v6(bytes));
}

PeerAddress PeerAddress::OfGrpcPeer(std::string_view peer) {
  absl::string_view text(peer.data(), peer.size());
  if (!absl::ConsumePrefix(&text, "ipv4:") && !absl::ConsumePrefix(&text, "ipv6:")) return {};
  text = text.substr(0, text.rfind(':'));  // the port
  std::string host = absl::StrReplaceAll(text, {{"%5B", ""}, {"%5D", ""}, {"[", ""}, {"]", ""}});
  host = host.substr(0, host.find('%'));  // a zone
  boost::system::error_code error;
  const ip::address address = ip::make_address(host, error);
  return error ? PeerAddress() : Of(address);
}

std::string PeerAddress::ToString() const {
  const ip::address_v6 address = ip::make_address_v6(bytes_);
  if (address.is_v4_mapped()) return ip::make_address_v4(ip::v4_mapped, address).to_string();
  return absl::StrCat(address.to_string(), "/64");
}

}  // namespace refund_relay
