// The HTTP client over real sockets: bounded in time and size, and broken off when told.
#include "server/ops/http_client.h"

#include <string>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/client/tiny_http_server.h"

namespace refund_relay {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// The server takes a request for whole once it has read this.
constexpr char kBody[] = "the end";

HttpClient::Request Get(const TinyHttpServer& server) {
  HttpClient::Request request;
  request.method = "GET";
  request.url = server.url();
  request.headers = {{"Authorization", "Bearer token"}};
  request.body = kBody;
  return request;
}

TEST(HttpClientTest, SendsWhatWasAskedAndReadsTheAnswer) {
  TinyHttpServer server("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
  HttpClient client;
  const auto answer = client.Send(Get(server));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 404);
  EXPECT_EQ(answer->body, "no");
  const std::string request = server.Request();
  EXPECT_THAT(request, StartsWith("GET /hook HTTP/1.1\r\n"));
  EXPECT_THAT(request, HasSubstr("Authorization: Bearer token\r\n"));
  EXPECT_THAT(request, HasSubstr("Host: " + server.url().authority + "\r\n"));
}

TEST(HttpClientTest, ALargerAnswerThanAllowedIsRefused) {
  TinyHttpServer server("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n12345678901");
  HttpClient::Request request = Get(server);
  request.most_answer_bytes = 10;
  HttpClient client;
  EXPECT_EQ(client.Send(request).status().code(), absl::StatusCode::kUnavailable);
}

TEST(HttpClientTest, AnAnswerThatIsCutShortIsNone) {
  TinyHttpServer server("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n1234567890");
  HttpClient client;
  EXPECT_EQ(client.Send(Get(server)).status().code(), absl::StatusCode::kUnavailable);
}

TEST(HttpClientTest, ARequestUnderWayIsBrokenOffForGood) {
  TinyHttpServer silent("");
  HttpClient client;
  HttpClient::Request request = Get(silent);
  request.timeout = absl::Hours(1);
  std::thread cancel([&] { client.Cancel(); });  // before, while or after it connects: all must end it
  EXPECT_EQ(client.Send(request).status().code(), absl::StatusCode::kCancelled);
  cancel.join();
  EXPECT_EQ(client.Send(request).status().code(), absl::StatusCode::kCancelled);
  // The server still waits for a connection, or for its end.
  HttpClient other;
  request.timeout = absl::Milliseconds(100);
  EXPECT_FALSE(other.Send(request).ok());
}

}  // namespace
}  // namespace refund_relay
