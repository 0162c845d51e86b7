// GrpcAcceptor: what keeps the thread that gives connections to gRPC does not keep others out.
#include "server/rpc/grpc_acceptor.h"

#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "gtest/gtest.h"
#include "tests/testing/log_lines.h"
#include "tests/testing/streaming_server.h"

namespace refund_relay {
namespace {

using boost::asio::ip::tcp;

// Works for a connection until that ends, as gRPC does for one that sends without pause.
void ReadToTheEnd(int socket) {
  std::vector<char> bytes(1 << 16);
  pollfd input{socket, POLLIN, 0};
  while (poll(&input, 1, -1) == 1 && recv(socket, bytes.data(), bytes.size(), 0) > 0) {
  }
}

class GrpcAcceptorTest : public ::testing::Test {
 protected:
  void Start() {
    auto listening = GrpcAcceptor::Listen({}, {}, server_.metrics());
    ASSERT_TRUE(listening.ok()) << listening.status();
    acceptor_ = *std::move(listening);
    acceptor_->Start([this](int given) {
      const FileDescriptor socket(given);
      {
        absl::MutexLock lock(&mutex_);
        ++taken_;
      }
      ReadToTheEnd(given);
    });
  }

  tcp::socket Connect() {
    tcp::socket peer(context_);
    peer.connect({boost::asio::ip::address_v4::loopback(), acceptor_->port()});
    return peer;
  }

  void AwaitTaken(int count) {
    absl::MutexLock lock(&mutex_);
    auto taken = [this, count]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return taken_ >= count; };
    mutex_.Await(absl::Condition(&taken));
  }

  double cuts() { return server_.Metric("refund_relay_grpc_connections_cut_total"); }

  boost::asio::io_context context_;
  LogLines lines_;
  StreamingServer server_{StreamingServer::Options{}};
  absl::Mutex mutex_;
  int taken_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<GrpcAcceptor> acceptor_;
};

TEST_F(GrpcAcceptorTest, AConnectionThatLetsNoOtherInIsCut) {
  Start();
  const tcp::socket first = Connect();
  AwaitTaken(1);
  const tcp::socket second = Connect();
  AwaitTaken(2);
  EXPECT_EQ(1, cuts());
  acceptor_->Stop();  // the line comes after the end
  EXPECT_EQ(1, lines_.With("faster than gRPC reads").size());
}

TEST_F(GrpcAcceptorTest, AFloodWithoutCallsIsCutAtOnce) {
  Start();
  tcp::socket flood = Connect();
  AwaitTaken(1);
  const std::string bytes(1 << 16, 'x');
  boost::system::error_code ended;
  while (!ended) boost::asio::write(flood, boost::asio::buffer(bytes), ended);
  acceptor_->Stop();
  EXPECT_EQ(1, cuts());
  EXPECT_EQ(1, lines_.With("sends much and calls too little").size());
}

TEST_F(GrpcAcceptorTest, ConnectionsThatOutliveTheDeadlineAreEnded) {
  Start();
  tcp::socket first = Connect();
  AwaitTaken(1);
  acceptor_->Close(std::chrono::steady_clock::now());
  char byte = 0;
  boost::system::error_code ended;
  first.read_some(boost::asio::buffer(&byte, 1), ended);
  EXPECT_TRUE(ended) << "it is over";
  tcp::socket late(context_);
  boost::system::error_code refused;
  late.connect({boost::asio::ip::address_v4::loopback(), acceptor_->port()}, refused);
  EXPECT_TRUE(refused) << "nobody listens any more";
  EXPECT_EQ(0, cuts()) << "it did nothing wrong";
}

TEST_F(GrpcAcceptorTest, StopsAlthoughAConnectionIsBeingGiven) {
  Start();
  const tcp::socket first = Connect();
  AwaitTaken(1);
  acceptor_->Stop();
}

}  // namespace
}  // namespace refund_relay
