// Connection: when the channel is replaced, and when it is not.
#include "refund_relay/connection.h"

#include <chrono>
#include <memory>

#include "gtest/gtest.h"
#include "tests/unit/client/fake_event_service.h"

namespace refund_relay {
namespace {

class ConnectionTest : public testing::Test {
 protected:
  // A connected channel.
  std::shared_ptr<grpc::Channel> Ready() {
    auto channel = MakeChannel(service_.address());
    EXPECT_TRUE(channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(30)));
    return channel;
  }

  FakeEventService service_;
  bool can_make_ = true;
  Connection connection_{[this] { return can_make_ ? Ready() : nullptr; }};
};

TEST_F(ConnectionTest, TwoWhoLeaveTheSameChannelGoOnWithTheSameNext) {
  const auto silent = connection_.channel();
  connection_.Leave(silent);
  const auto next = connection_.channel();
  EXPECT_NE(silent, next);
  connection_.Leave(silent);
  EXPECT_EQ(next, connection_.channel());
}

TEST_F(ConnectionTest, AChannelThatIsNotConnectedIsKept) {
  const auto connection = MakeConnection("127.0.0.1:1");
  const auto channel = connection->channel();
  connection->Leave(channel);
  EXPECT_EQ(channel, connection->channel());
}

TEST_F(ConnectionTest, WithoutAnotherOneTheChannelIsKept) {
  const auto channel = connection_.channel();
  can_make_ = false;
  connection_.Leave(channel);
  EXPECT_EQ(channel, connection_.channel());
}

TEST_F(ConnectionTest, OptionsThatContradictEachOtherAreRefused) {
  ChannelOptions options;
  options.token_file = "token";  // over plain text
  EXPECT_EQ(absl::StatusCode::kInvalidArgument, MakeConnection(service_.address(), options).status().code());
}

}  // namespace
}  // namespace refund_relay
