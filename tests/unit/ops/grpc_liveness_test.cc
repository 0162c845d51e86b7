// Liveness of the gRPC port: when it answers and when it does not.
#include "server/ops/grpc_liveness.h"

#include <arpa/inet.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/test_authority.h"

namespace refund_relay {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kShort = absl::Milliseconds(50);  // for what never answers
constexpr absl::Duration kLong = absl::Seconds(30);        // for what does

// A gRPC server on completion queues, whose thread can be left out: then the kernel still accepts for it.
class GrpcServer {
 public:
  explicit GrpcServer(const std::string& host, bool serve,
                      const std::shared_ptr<grpc::ServerCredentials>& credentials = grpc::InsecureServerCredentials()) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(host + ":0", credentials, &port);
    builder.RegisterAsyncGenericService(&service_);
    queue_ = builder.AddCompletionQueue();
    server_ = builder.BuildAndStart();
    port_ = static_cast<uint16_t>(port);
    if (serve) thread_ = std::thread([this] { Drain(); });
  }
  ~GrpcServer() {
    server_->Shutdown(std::chrono::system_clock::now());
    queue_->Shutdown();
    if (thread_.joinable()) {
      thread_.join();
    } else {
      Drain();
    }
  }

  uint16_t port() const { return port_; }

 private:
  void Drain() {
    void* tag = nullptr;
    bool ok = false;
    while (queue_->Next(&tag, &ok)) {
    }
  }

  grpc::AsyncGenericService service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  uint16_t port_ = 0;
  std::thread thread_;
};

// Listens on a free port and gives the first connection to `serve`, on a thread.
class RawServer {
 public:
  explicit RawServer(std::function<void(int)> serve) : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_, 1), 0);
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    address_ = {"127.0.0.1", ntohs(address.sin_port)};
    thread_ = std::thread([this, serve = std::move(serve)] {
      const int connection = accept(listener_, nullptr, nullptr);
      serve(connection);
      close(connection);
    });
  }
  ~RawServer() {
    thread_.join();
    close(listener_);
  }

  const ListenAddress& address() const { return address_; }

 private:
  const int listener_;
  ListenAddress address_;
  std::thread thread_;
};

std::string Message(const absl::Status& status) { return std::string(status.message()); }

// Waits for the answer to one check.
absl::Status Checked(GrpcLiveness& liveness) {
  std::promise<absl::Status> answer;
  liveness.Check([&answer](absl::Status status) { answer.set_value(std::move(status)); });
  return answer.get_future().get();
}

TEST(CheckGrpcPortTest, ARunningServerIsAlive) {
  const GrpcServer server("127.0.0.1", /*serve=*/true);
  EXPECT_EQ(CheckGrpcPort({"127.0.0.1", server.port()}, kLong), absl::OkStatus());
}

TEST(CheckGrpcPortTest, AWildcardAddressIsReachedThroughLoopback) {
  const GrpcServer server("0.0.0.0", /*serve=*/true);
  EXPECT_EQ(CheckGrpcPort({"0.0.0.0", server.port()}, kLong), absl::OkStatus());
}

TEST(CheckGrpcPortTest, AStuckServerIsNot) {
  const GrpcServer server("127.0.0.1", /*serve=*/false);
  const auto status = CheckGrpcPort({"127.0.0.1", server.port()}, kShort);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Message(status), HasSubstr("accepts connections but does not answer"));
}

TEST(CheckGrpcPortTest, APortWhereNobodyListensIsNot) {
  uint16_t port = 0;
  {
    const GrpcServer server("127.0.0.1", /*serve=*/true);
    port = server.port();
  }
  EXPECT_THAT(Message(CheckGrpcPort({"127.0.0.1", port}, kLong)), HasSubstr("takes no connection"));
}

TEST(CheckGrpcPortTest, AServerThatHangsUpIsNot) {
  const RawServer server([](int connection) {
    char byte;
    EXPECT_EQ(recv(connection, &byte, 1, 0), 1);
    shutdown(connection, SHUT_WR);
    while (recv(connection, &byte, 1, 0) > 0) {
    }
  });
  EXPECT_THAT(Message(CheckGrpcPort(server.address(), kLong)), HasSubstr("closes connections without an answer"));
}

TEST(CheckGrpcPortTest, AnotherProtocolIsNot) {
  const RawServer server([](int connection) {
    EXPECT_EQ(send(connection, "HTTP/1.1 400 Bad Request\r\n", 26, 0), 26);
    char byte;
    while (recv(connection, &byte, 1, 0) > 0) {
    }
  });
  EXPECT_THAT(Message(CheckGrpcPort(server.address(), kLong)), HasSubstr("does not speak HTTP/2"));
}

TEST(CheckGrpcPortTest, AnAnswerInPiecesIsRead) {
  const RawServer server([](int connection) {
    for (const char byte : std::string("\0\0\0\4\0\0\0\0\0", 9)) EXPECT_EQ(send(connection, &byte, 1, 0), 1);
    char byte;
    while (recv(connection, &byte, 1, 0) > 0) {
    }
  });
  EXPECT_EQ(CheckGrpcPort(server.address(), kLong), absl::OkStatus());
}

TEST(CheckGrpcPortTest, APlaintextServerIsNoTlsServer) {
  const GrpcServer server("127.0.0.1", /*serve=*/true);
  const auto status = CheckGrpcPort({"127.0.0.1", server.port()}, kLong, /*tls=*/true);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
}

TEST(CheckGrpcPortTest, ATlsServerIsAliveByTlsAndNotByPlaintext) {
  TestAuthority authority;
  const TestCertificate pair = authority.Issue("server", "DNS:localhost");
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs = {{pair.key, pair.certificate}};
  const GrpcServer server("127.0.0.1", /*serve=*/true, grpc::SslServerCredentials(options));
  EXPECT_EQ(CheckGrpcPort({"127.0.0.1", server.port()}, kLong, /*tls=*/true), absl::OkStatus());
  EXPECT_EQ(CheckGrpcPort({"127.0.0.1", server.port()}, kLong).code(), absl::StatusCode::kUnavailable);
}

TEST(CheckGrpcPortTest, AnAlertInPlaceOfAHandshakeIsNot) {
  const RawServer server([](int connection) {
    const char alert[] = {21, 3, 3, 0, 2, 2, 40};  // fatal, handshake_failure
    EXPECT_EQ(send(connection, alert, sizeof(alert), 0), static_cast<ssize_t>(sizeof(alert)));
    char byte;
    while (recv(connection, &byte, 1, 0) > 0) {
    }
  });
  EXPECT_THAT(Message(CheckGrpcPort(server.address(), kLong, /*tls=*/true)), HasSubstr("refuses a TLS handshake"));
}

TEST(GrpcLivenessTest, IsAliveWhileStartingAndThenTellsOfThePort) {
  GrpcLiveness liveness(kLong);
  EXPECT_EQ(Checked(liveness), absl::OkStatus());
  uint16_t port = 0;
  {
    const GrpcServer server("127.0.0.1", /*serve=*/true);
    port = server.port();
    liveness.SetAddress({"127.0.0.1", port});
    EXPECT_EQ(Checked(liveness), absl::OkStatus());
  }
  EXPECT_EQ(Checked(liveness).code(), absl::StatusCode::kUnavailable);
}

TEST(GrpcLivenessTest, WaitingChecksAreBoundedAndShareOneResult) {
  absl::Notification release;
  absl::Notification connected;
  std::vector<std::future<absl::Status>> answers;
  const auto ask = [&answers](GrpcLiveness& liveness) {
    auto answer = std::make_shared<std::promise<absl::Status>>();
    answers.push_back(answer->get_future());
    liveness.Check([answer](absl::Status status) { answer->set_value(std::move(status)); });
  };
  // One connection only: a second one would wait for ever in the backlog, and the check with it.
  const RawServer server([&](int connection) {
    connected.Notify();
    release.WaitForNotification();
    EXPECT_EQ(send(connection, "\0\0\0\4\0\0\0\0\0", 9, 0), 9);
    char byte;
    while (recv(connection, &byte, 1, 0) > 0) {
    }
  });
  GrpcLiveness liveness(kLong);
  liveness.SetAddress(server.address());
  ask(liveness);
  connected.WaitForNotification();
  while (answers.size() <= GrpcLiveness::kMaxWaitingChecks) ask(liveness);
  EXPECT_EQ(answers.back().get().code(), absl::StatusCode::kResourceExhausted);
  answers.pop_back();
  release.Notify();
  for (auto& answer : answers) EXPECT_EQ(answer.get(), absl::OkStatus());
}

TEST(GrpcLivenessTest, DestructionAnswersWhatWaits) {
  const GrpcServer stuck("127.0.0.1", /*serve=*/false);
  std::promise<absl::Status> answer;
  {
    GrpcLiveness liveness(kShort);
    liveness.SetAddress({"127.0.0.1", stuck.port()});
    liveness.Check([&answer](absl::Status status) { answer.set_value(std::move(status)); });
  }
  EXPECT_FALSE(answer.get_future().get().ok());
}

}  // namespace
}  // namespace refund_relay
