// Admin HTTP: probes, metrics, and bad requests over real sockets.
#include "server/ops/admin_server.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace refund_relay {
namespace {

namespace asio = boost::asio;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// One connection, as a client sees it.
class Connection {
 public:
  explicit Connection(const ListenAddress& address) {
    socket_.connect({asio::ip::make_address(address.host), address.port});
  }

  void Send(const std::string& text) {
    boost::system::error_code error;
    asio::write(socket_, asio::buffer(text), error);
    EXPECT_FALSE(error) << error.message();
  }

  // What comes until the server closes; `reset` if it broke the connection off.
  std::string ReadAll() {
    std::string text;
    boost::system::error_code error;
    asio::read(socket_, asio::dynamic_buffer(text), error);
    return error == asio::error::eof ? text : text + "reset";
  }

 private:
  asio::io_context context_;
  asio::ip::tcp::socket socket_{context_};
};

class AdminServerTest : public ::testing::Test {
 protected:
  AdminServerTest() {
    handlers_.liveness = [](const auto& done) { done(absl::OkStatus()); };
    handlers_.metrics = [] { return std::string("refund_relay_log_bytes 42\n"); };
    handlers_.readiness = {{"storage", [] { return absl::UnavailableError("disk full"); }}};
  }

  void Start(AdminServerOptions options = {}) {
    auto server = AdminServer::Start({"127.0.0.1", 0}, handlers_, options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  Connection Connect() { return Connection(server_->address()); }

  std::string Ask(const std::string& method, const std::string& target) {
    auto connection = Connect();
    connection.Send(absl::StrCat(method, " ", target, " HTTP/1.1\r\nHost: x\r\n\r\n"));
    return connection.ReadAll();
  }

  AdminHandlers handlers_;
  std::unique_ptr<AdminServer> server_;
};

TEST_F(AdminServerTest, ReportsThePortThatItPicked) {
  Start();
  EXPECT_NE(server_->address().port, 0);
  EXPECT_EQ(server_->address().host, "127.0.0.1");
}

TEST_F(AdminServerTest, ATakenPortIsAnErrorThatNamesIt) {
  Start();
  const auto second = AdminServer::Start(server_->address(), handlers_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()),
              AllOf(HasSubstr(server_->address().ToString()), HasSubstr("Address already in use")));
}

TEST_F(AdminServerTest, ServesMetrics) {
  Start();
  EXPECT_THAT(Ask("GET", "/metrics"),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("Content-Type: text/plain; version=0.0.4"),
                    HasSubstr("Connection: close\r\n"), EndsWith("\r\n\r\nrefund_relay_log_bytes 42\n")));
}

TEST_F(AdminServerTest, HeadHasTheHeaderOfGetAndNoBody) {
  Start();
  EXPECT_THAT(Ask("HEAD", "/metrics"),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("Content-Length: 26\r\n"), EndsWith("\r\n\r\n")));
}

TEST_F(AdminServerTest, ReadinessAnswersItsReportAndHeedsExclude) {
  Start();
  EXPECT_THAT(Ask("GET", "/readyz"),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("application/json"), HasSubstr(R"("reason":"disk full")")));
  EXPECT_THAT(Ask("GET", "/readyz?exclude=storage"),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr(R"({"ready":true,)")));
}

TEST_F(AdminServerTest, LivenessAnswersWhatItsHandlerSays) {
  absl::Status status;
  handlers_.liveness = [&status](const auto& done) { done(status); };
  Start();
  EXPECT_THAT(Ask("GET", "/livez"), AllOf(StartsWith("HTTP/1.1 200 "), EndsWith(R"({"live":true})")));
  status = absl::UnavailableError("gRPC is stuck");
  EXPECT_THAT(Ask("GET", "/livez"),
              AllOf(StartsWith("HTTP/1.1 503 "), EndsWith(R"({"live":false,"reason":"gRPC is stuck"})")));
}

TEST_F(AdminServerTest, ASlowLivenessCheckHoldsNobodyElseUp) {
  std::promise<std::function<void(absl::Status)>> asked;
  handlers_.liveness = [&asked](auto done) { asked.set_value(std::move(done)); };
  Start();
  auto probe = Connect();
  probe.Send("GET /livez HTTP/1.1\r\n\r\n");
  auto done = asked.get_future().get();
  EXPECT_THAT(Ask("GET", "/metrics"), StartsWith("HTTP/1.1 200 "));
  done(absl::OkStatus());  // on a thread that is not the server's
  EXPECT_THAT(probe.ReadAll(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(AdminServerTest, DestructionWaitsForLivenessAnswersThatAreOut) {
  std::promise<std::function<void(absl::Status)>> asked;
  handlers_.liveness = [&asked](auto done) { asked.set_value(std::move(done)); };
  Start();
  auto probe = Connect();
  probe.Send("GET /livez HTTP/1.1\r\n\r\n");
  auto done = asked.get_future().get();
  auto destroyed = std::async(std::launch::async, [this] { server_.reset(); });
  EXPECT_THAT(probe.ReadAll(), Not(HasSubstr("HTTP")));  // the server is going and has closed the connection
  // Never the other way round with the code as it is; an answer that comes after destruction would touch freed memory.
  EXPECT_EQ(destroyed.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  done(absl::OkStatus());
  done = nullptr;
  destroyed.get();
}

TEST_F(AdminServerTest, RefusesOtherPathsAndMethods) {
  Start();
  for (const char* target : {"/", "/livez/", "/metric", "*", "http://x/metrics"}) {
    EXPECT_THAT(Ask("GET", target), AllOf(StartsWith("HTTP/1.1 404 "), HasSubstr("/livez, /readyz or /metrics")))
        << target;
  }
  for (const char* method : {"POST", "DELETE", "OPTIONS"}) {
    EXPECT_THAT(Ask(method, "/metrics"), AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: GET, HEAD\r\n")))
        << method;
  }
}

TEST_F(AdminServerTest, AnswersBeforeTheBodyAndTakesWhatStillComes) {
  Start();
  const std::string part(10000, 'x');
  auto connection = Connect();
  connection.Send("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n" + part);
  EXPECT_THAT(connection.ReadAll(), AllOf(StartsWith("HTTP/1.1 405 "), Not(EndsWith("reset"))));
  for (int i = 0; i < 4; ++i) connection.Send(part);  // fails once the server reset the connection
}

TEST_F(AdminServerTest, RefusesWhatIsNoHttp) {
  Start();
  auto connection = Connect();
  connection.Send("\x16\x03\x01 hello\r\n\r\n");
  EXPECT_THAT(connection.ReadAll(), StartsWith("HTTP/1.1 400 "));
}

TEST_F(AdminServerTest, RefusesALongHeader) {
  Start();
  auto connection = Connect();
  connection.Send("GET /metrics HTTP/1.1\r\nX: " + std::string(AdminServer::kMaxHeaderBytes, 'x') + "\r\n\r\n");
  EXPECT_THAT(connection.ReadAll(), StartsWith("HTTP/1.1 431 "));
}

TEST_F(AdminServerTest, ASilentConnectionIsClosedAtItsDeadline) {
  Start({.connection_deadline = absl::Milliseconds(20)});
  auto connection = Connect();
  connection.Send("GET /met");
  EXPECT_THAT(connection.ReadAll(), Not(HasSubstr("HTTP")));
}

TEST_F(AdminServerTest, OneConnectionTooManyClosesTheOldest) {
  Start({.max_connections = 2, .connection_deadline = absl::Hours(1)});
  auto first = Connect();
  auto second = Connect();
  EXPECT_THAT(Ask("GET", "/metrics"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(first.ReadAll(), Not(HasSubstr("HTTP")));
  second.Send("GET /metrics HTTP/1.1\r\n\r\n");
  EXPECT_THAT(second.ReadAll(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(AdminServerTest, DestructionClosesIdleConnections) {
  Start({.connection_deadline = absl::Hours(1)});
  auto idle = Connect();
  EXPECT_THAT(Ask("GET", "/metrics"), StartsWith("HTTP/1.1 200 "));  // by now the idle one is accepted too
  server_.reset();
  EXPECT_THAT(idle.ReadAll(), Not(HasSubstr("HTTP")));
}

}  // namespace
}  // namespace refund_relay
