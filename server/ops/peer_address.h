// PeerAddress: who stands at the other end of a connection, as far as limits are concerned.
#ifndef REFUND_RELAY_SERVER_OPS_PEER_ADDRESS_H_
#define REFUND_RELAY_SERVER_OPS_PEER_ADDRESS_H_

#include <sys/socket.h>

#include <array>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace refund_relay {

// Who stands at the other end of a connection, as grpc::ServerContext::peer() writes it: `ipv4:192.0.2.1:5000`,
// `ipv6:%5B2001:db8::1%5D:5000`. A v4-mapped address is the IPv4 address; zones are left out. Nothing if it is neither.
std::optional<boost::asio::ip::tcp::endpoint> ParseGrpcPeer(std::string_view peer);
// The same of a socket's address, AF_INET or AF_INET6.
std::optional<boost::asio::ip::tcp::endpoint> EndpointOf(const sockaddr_storage& address);

// An IPv4 address, or the /64 network of an IPv6 one: whoever has one address of a /64 has all of them. A v4-mapped
// address is the IPv4 address. A value; peers that cannot be known are all the same one, `::`.
class PeerAddress {
 public:
  PeerAddress() = default;

  static PeerAddress Of(const boost::asio::ip::address& address);
  // See ParseGrpcPeer.
  static PeerAddress OfGrpcPeer(std::string_view peer);

  // For messages and log lines: `192.0.2.1`, `2001:db8::/64`.
  std::string ToString() const;

  friend bool operator==(const PeerAddress&, const PeerAddress&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const PeerAddress& peer) {
    return H::combine(std::move(state), peer.bytes_);
  }

 private:
  std::array<unsigned char, 16> bytes_{};  // as of IPv6
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_PEER_ADDRESS_H_
