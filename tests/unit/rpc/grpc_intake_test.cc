// GrpcIntake: over real connections, which a function of the test takes in gRPC's place.
#include "server/rpc/grpc_intake.h"

#include <poll.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"

namespace refund_relay {
namespace {

using boost::asio::ip::tcp;

// Two ends of a connection of this machine.
struct Connection {
  tcp::socket peer;
  FileDescriptor ours;
};

class GrpcIntakeTest : public ::testing::Test {
 protected:
  Connection Connect() {
    tcp::acceptor acceptor(context_, {boost::asio::ip::address_v4::loopback(), 0});
    Connection connection{tcp::socket(context_), FileDescriptor()};
    connection.peer.connect(acceptor.local_endpoint());
    tcp::socket ours = acceptor.accept();
    ours.non_blocking(true);
    connection.ours = FileDescriptor(ours.release());
    return connection;
  }

  static bool HasInput(int socket, int wait_ms) {
    pollfd input{socket, POLLIN, 0};
    return poll(&input, 1, wait_ms) == 1;
  }

  static bool HasEnded(tcp::socket& peer) {
    char byte = 0;
    boost::system::error_code error;
    peer.read_some(boost::asio::buffer(&byte, 1), error);
    return error == boost::asio::error::eof || error == boost::asio::error::connection_reset;
  }

  boost::asio::io_context context_;
};

constexpr int kForEver = -1;

TEST_F(GrpcIntakeTest, UsualInputIsLeftToOthersUntilTheConnectionIsGiven) {
  Connection connection = Connect();
  boost::asio::write(connection.peer, boost::asio::buffer(std::string(10'000, 'x')));
  ASSERT_TRUE(HasInput(connection.ours.number(), kForEver));
  absl::Notification taken;
  int socket = -1;
  bool had_input = true;
  GrpcIntake intake([&](int given) {
    socket = given;
    had_input = HasInput(given, 0);
    taken.Notify();
  });
  intake.Give(7, std::move(connection.ours));
  taken.WaitForNotification();
  EXPECT_FALSE(had_input);
  EXPECT_TRUE(HasInput(socket, kForEver)) << "it has not been told of what waits";
  const FileDescriptor close_it(socket);
}

TEST_F(GrpcIntakeTest, TellsWhichConnectionKeepsIt) {
  Connection one = Connect();
  Connection other = Connect();
  absl::Notification taken;
  absl::Notification enough;
  GrpcIntake intake([&](int given) {
    const FileDescriptor close_it(given);
    taken.Notify();
    enough.WaitForNotification();
  });
  EXPECT_FALSE(intake.current().has_value());
  intake.Give(7, std::move(one.ours));
  taken.WaitForNotification();
  intake.Give(8, std::move(other.ours));
  ASSERT_TRUE(intake.current().has_value());
  EXPECT_EQ(7, intake.current()->connection);
  intake.Close();
  EXPECT_TRUE(HasEnded(other.peer)) << "what waits is closed";
  enough.Notify();
  intake.Stop();
  EXPECT_FALSE(intake.current().has_value());
}

TEST_F(GrpcIntakeTest, AConnectionThatIsClosedMeanwhileHarmsNothing) {
  std::vector<Connection> connections;
  for (int i = 0; i < 3; ++i) connections.push_back(Connect());
  GrpcIntake intake([](int given) { const FileDescriptor close_it(given); });
  for (size_t i = 0; i < connections.size(); ++i) intake.Give(i, std::move(connections[i].ours));
  for (Connection& connection : connections) EXPECT_TRUE(HasEnded(connection.peer));
}

TEST_F(GrpcIntakeTest, WhatComesAfterTheEndIsClosed) {
  GrpcIntake intake([](int) { FAIL() << "taken"; });
  intake.Stop();
  Connection late = Connect();
  intake.Give(7, std::move(late.ours));
  EXPECT_TRUE(HasEnded(late.peer));
  intake.Stop();
}

}  // namespace
}  // namespace refund_relay
