// PeerAddress: which connections count as one peer's, and how gRPC's texts are read.
#include "server/ops/peer_address.h"

#include <netinet/in.h>

#include <string>

#include "gtest/gtest.h"

namespace refund_relay {
namespace {

namespace ip = boost::asio::ip;

PeerAddress Of(const std::string& text) { return PeerAddress::Of(ip::make_address(text)); }

TEST(PeerAddressTest, AnIpv4AddressIsOnePeer) {
  EXPECT_EQ(Of("192.0.2.1"), Of("192.0.2.1"));
  EXPECT_NE(Of("192.0.2.1"), Of("192.0.2.2"));
  EXPECT_EQ(Of("192.0.2.1").ToString(), "192.0.2.1");
}

TEST(PeerAddressTest, AnIpv6NetworkIsOnePeer) {
  EXPECT_EQ(Of("2001:db8:0:1::1"), Of("2001:db8:0:1:ffff::2"));
  EXPECT_NE(Of("2001:db8:0:1::1"), Of("2001:db8:0:2::1"));
  EXPECT_EQ(Of("2001:db8:0:1::1").ToString(), "2001:db8:0:1::/64");
}

TEST(PeerAddressTest, AMappedAddressIsTheIpv4Address) {
  EXPECT_EQ(Of("::ffff:192.0.2.1"), Of("192.0.2.1"));
  EXPECT_NE(Of("::ffff:192.0.2.1"), Of("::ffff:192.0.2.2"));
}

TEST(PeerAddressTest, ReadsWhatGrpcWrites) {
  EXPECT_EQ(PeerAddress::OfGrpcPeer("ipv4:192.0.2.1:5000"), Of("192.0.2.1"));
  EXPECT_EQ(PeerAddress::OfGrpcPeer("ipv6:%5B2001:db8::1%5D:5000"), Of("2001:db8::1"));
  EXPECT_EQ(PeerAddress::OfGrpcPeer("ipv6:[2001:db8::1]:5000"), Of("2001:db8::1"));
  EXPECT_EQ(PeerAddress::OfGrpcPeer("ipv6:%5Bfe80::1%25eth0%5D:5000"), Of("fe80::1"));
  EXPECT_EQ(PeerAddress::OfGrpcPeer("ipv6:%5B::ffff:192.0.2.1%5D:5000"), Of("192.0.2.1"));
}

TEST(PeerAddressTest, WhatIsNoAddressIsNotKnown) {
  for (const char* text : {"", "unix:/tmp/socket", "ipv4:", "ipv4:192.0.2.1", "ipv4:192.0.2.1:x",
                           "ipv4:192.0.2.1:70000", "ipv6:%5Bnonsense%5D:1"}) {
    EXPECT_EQ(PeerAddress::OfGrpcPeer(text), PeerAddress()) << text;
    EXPECT_EQ(ParseGrpcPeer(text), std::nullopt) << text;
  }
}

TEST(PeerAddressTest, ASocketAddressAndGrpcsTextAreTheSameEndpoint) {
  sockaddr_storage storage{};
  auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
  v4.sin_family = AF_INET;
  v4.sin_port = htons(5000);
  v4.sin_addr.s_addr = htonl(0xC0000201);
  EXPECT_EQ(EndpointOf(storage), ParseGrpcPeer("ipv4:192.0.2.1:5000"));

  storage = {};
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(5000);
  v6.sin6_addr.s6_addr[10] = v6.sin6_addr.s6_addr[11] = 0xFF;  // mapped
  v6.sin6_addr.s6_addr[12] = 192;
  v6.sin6_addr.s6_addr[14] = 2;
  v6.sin6_addr.s6_addr[15] = 1;
  EXPECT_EQ(EndpointOf(storage), ParseGrpcPeer("ipv4:192.0.2.1:5000"));
  v6.sin6_addr = in6addr_loopback;
  v6.sin6_scope_id = 3;
  EXPECT_EQ(EndpointOf(storage), ParseGrpcPeer("ipv6:%5B::1%5D:5000"));

  storage = {};
  storage.ss_family = AF_UNIX;
  EXPECT_EQ(EndpointOf(storage), std::nullopt);
}

}  // namespace
}  // namespace refund_relay
