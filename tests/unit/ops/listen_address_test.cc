// Listening addresses: which texts are accepted, and which are loopback.
#include "server/ops/listen_address.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace refund_relay {
namespace {

using ::testing::HasSubstr;

TEST(ListenAddressTest, ParsesAddressesOfBothFamilies) {
  EXPECT_EQ(ParseListenAddress("127.0.0.1:8080").value(), (ListenAddress{"127.0.0.1", 8080}));
  EXPECT_EQ(ParseListenAddress("0.0.0.0:0").value(), (ListenAddress{"0.0.0.0", 0}));
  EXPECT_EQ(ParseListenAddress("[::1]:65535").value(), (ListenAddress{"::1", 65535}));
  EXPECT_EQ(ParseListenAddress("[0:0::0]:1").value(), (ListenAddress{"::", 1}));
  EXPECT_EQ(ParseListenAddress("localhost:80").value(), (ListenAddress{"127.0.0.1", 80}));
}

TEST(ListenAddressTest, RefusesEverythingElseAndSaysWhatIsAccepted) {
  for (const char* text : {"", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
                           "127.0.0.1:+80", "127.0.0.1: 80", "127.0.0.1:80x", "127.0.0.300:80", "::1:80", "[::1]",
                           "[127.0.0.1]:80", "[localhost]:80", "example.org:80", "*:80", "[]:80", "]:80"}) {
    const auto parsed = ParseListenAddress(text);
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr("such as 127.0.0.1:8080")) << text;
  }
}

TEST(ListenAddressTest, KnowsWhatOnlyThisMachineReaches) {
  for (const char* host : {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE((ListenAddress{host, 1}.IsLoopback())) << host;
  }
  for (const char* host : {"0.0.0.0", "10.0.0.1", "::", "fe80::1", "::ffff:10.0.0.1", "nonsense"}) {
    EXPECT_FALSE((ListenAddress{host, 1}.IsLoopback())) << host;
  }
}

TEST(ListenAddressTest, PrintsWhatItParses) {
  for (const char* text : {"127.0.0.1:8080", "[::1]:443"}) {
    EXPECT_EQ(ParseListenAddress(text).value().ToString(), text);
  }
}

}  // namespace
}  // namespace refund_relay
