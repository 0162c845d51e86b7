// The parts of `refundctl send`: signature, samples, and HTTP over real sockets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "client/refundctl/http_post.h"
#include "client/refundctl/webhook_credentials.h"
#include "client/refundctl/webhook_sample.h"
#include "tests/unit/client/reserved_port.h"
#include "tests/unit/client/tiny_http_server.h"

namespace refund_relay {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

std::string Testdata(const std::string& name) {
  std::ifstream file(std::string(REFUND_RELAY_TESTDATA) + "/refunded." + name + ".json", std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

// Expected values by `openssl dgst -sha256 -hmac whsec_test`.
TEST(WebhookCredentialsTest, SignsAsOpensslDoes) {
  EXPECT_EQ(SignWebhook("whsec_test", Testdata("pass")),
            "82379f7fa21286e1dee45a7f3977c99d4bf4bc33f769c9e7c230d6d0bc68b56e");
  EXPECT_EQ(SignWebhook("whsec_test", Testdata("pay_per_use")),
            "041ca37f9e8146fd6d48044a61ca9ac35921e2a5ed0d6933f1c4905018677e96");
  EXPECT_EQ(SignWebhook("whsec_test", Testdata("subscription")),
            "d14e79e289e4870ccb78a41789233fe1559ee1e36b5904e5bf2f895a2732c0f2");
}

TEST(WebhookCredentialsTest, BasicIsBase64) {
  EXPECT_EQ(BasicAuthorization("Aladdin:open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

TEST(WebhookCredentialsTest, TheFirstSecretIsReadAsTheServerReadsIt) {
  const auto folder = std::filesystem::temp_directory_path() / ("refundctl_send_test_" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  const std::string file = (folder / "secrets").string();
  std::ofstream(file) << "\n  \n lead ing \t\r\nsecond\n";
  EXPECT_EQ(ReadFirstSecret(file).value().view(), " lead ing");
  std::ofstream(file) << "\n \n";
  EXPECT_EQ(ReadFirstSecret(file).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReadFirstSecret((folder / "none").string()).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(ReadFirstSecret((folder / "none").string()).status().message()), HasSubstr("No such file"));
  EXPECT_EQ(ReadFirstSecret(folder.string()).status().code(), absl::StatusCode::kNotFound);
  std::filesystem::remove_all(folder);
}

TEST(WebhookSampleTest, TheVendorsSamplesAreEmbeddedByteForByte) {
  for (const char* name : {"pass", "pay_per_use", "subscription"}) {
    ASSERT_FALSE(Testdata(name).empty());
    EXPECT_EQ(WebhookSample(name), Testdata(name)) << name;
  }
  EXPECT_FALSE(WebhookSample("bundle").has_value());
}

TEST(WebhookSampleTest, UniqueChangesIdAndTimesAndNothingElse) {
  for (const char* name : {"pass", "pay_per_use", "subscription"}) {
    const std::string sample = Testdata(name);
    std::istringstream before(sample);
    std::istringstream after(MakeUnique(sample, "00112233445566778899aabb", absl::FromUnixMillis(1'700'000'000'123)));
    std::string changed;
    std::string old_line;
    std::string new_line;
    while (std::getline(before, old_line)) {
      ASSERT_TRUE(std::getline(after, new_line));
      if (old_line != new_line) changed += new_line.substr(new_line.find('"')) + "\n";
    }
    EXPECT_FALSE(std::getline(after, new_line));
    EXPECT_THAT(changed, HasSubstr("\"_id\": \"00112233445566778899aabb\",\n"));
    EXPECT_THAT(changed, HasSubstr("\"createdAt\": \"2023-11-14T22:13:20.123Z\",\n"));
    EXPECT_THAT(changed, HasSubstr("\"updatedAt\": \"2023-11-14T22:13:20.123Z\"\n"));
    EXPECT_THAT(changed, HasSubstr("\"created_at\": 1700000000\n"));
    EXPECT_EQ(std::count(changed.begin(), changed.end(), '\n'), 4) << changed;
  }
}

TEST(WebhookSampleTest, RandomIdsHaveTheVendorsForm) {
  const std::string id = RandomRefundId();
  EXPECT_THAT(id, MatchesRegex("[0-9a-f]+"));
  EXPECT_EQ(id.size(), 24u);
  EXPECT_NE(id, RandomRefundId());
}

TEST(HttpUrlTest, TakesUrlsApart) {
  const auto url = ParseHttpUrl("http://127.0.0.1:8080/webhooks/refund?a=b#c").value();
  EXPECT_EQ(url.host, "127.0.0.1");
  EXPECT_EQ(url.port, "8080");
  EXPECT_EQ(url.authority, "127.0.0.1:8080");
  EXPECT_EQ(url.target, "/webhooks/refund?a=b");
  EXPECT_EQ(ParseHttpUrl("http://relay")->target, "/");
  EXPECT_EQ(ParseHttpUrl("http://relay?x")->target, "/?x");
  EXPECT_EQ(ParseHttpUrl("HTTP://relay/")->port, "80");
  EXPECT_EQ(ParseHttpUrl("http://[::1]:81/")->host, "::1");
  EXPECT_EQ(ParseHttpUrl("http://[::1]:81/")->port, "81");
  EXPECT_FALSE(ParseHttpUrl("http://relay/")->tls);
  EXPECT_TRUE(ParseHttpUrl("HTTPS://relay/")->tls);
  EXPECT_EQ(ParseHttpUrl("https://relay/a")->port, "443");
  EXPECT_EQ(ParseHttpUrl("https://relay:8443/a")->authority, "relay:8443");
  for (const char* wrong : {"", "relay", "ftp://relay/", "https://", "http://", "http:///x", "http://a:b@relay/",
                            "http://[::1/", "http://relay:0/", "http://relay:65536/", "http://relay:x/",
                            "http://relay/a b", "http://relay/\r\nX-Evil: 1", "http://[::1]x/"}) {
    EXPECT_EQ(ParseHttpUrl(wrong).status().code(), absl::StatusCode::kInvalidArgument) << wrong;
  }
}

TEST(HttpPostTest, PostsTheBytesAndReadsTheAnswer) {
  TinyHttpServer server("HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{\"status\":\"accepted\"}");
  const auto answer = HttpPost(server.url(), {{kSignatureHeader, "abc"}}, "body, the end", absl::Seconds(30));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->reason, "OK");
  EXPECT_EQ(answer->body, "{\"status\":\"accepted\"}");
  const std::string request = server.Request();
  EXPECT_THAT(request, testing::StartsWith("POST /hook HTTP/1.1\r\nHost: " + server.url().authority + "\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nX-Conscent-Signature: abc\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nContent-Length: 13\r\n"));
  EXPECT_THAT(request, testing::EndsWith("\r\n\r\nbody, the end"));
}

TEST(HttpPostTest, PassesOverInterimAnswers) {
  TinyHttpServer server(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\nno signature");
  const auto answer = HttpPost(server.url(), {}, "the end", absl::Seconds(30));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 401);
  EXPECT_EQ(answer->body, "no signature");
}

TEST(HttpPostTest, ASilentServerIsGivenUpInTime) {
  TinyHttpServer server("");
  const auto answer = HttpPost(server.url(), {}, "the end", absl::Milliseconds(200));
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(HttpPostTest, AConnectionThatEndsWithoutAnAnswerIsUnavailable) {
  TinyHttpServer server("HTTP/1.1 200 OK\r\nContent-Le");
  EXPECT_EQ(HttpPost(server.url(), {}, "the end", absl::Seconds(30)).status().code(), absl::StatusCode::kUnavailable);
}

TEST(HttpPostTest, AServerThatListensLaterGetsTheWebhookOnce) {
  ReservedPort port;
  const HttpUrl url = ParseHttpUrl("http://" + port.address() + "/hook").value();
  std::optional<TinyHttpServer> server;
  const auto answer = HttpPostOnceItListens(url, {}, "the end", absl::Seconds(30), [&] {
    ASSERT_FALSE(server.has_value()) << "told twice";
    server.emplace("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", port.port());
  });
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 200);
  EXPECT_THAT(server->Request(), testing::EndsWith("\r\n\r\nthe end"));
}

TEST(HttpPostTest, ABrokenConnectionIsNotTriedAgain) {
  TinyHttpServer server("HTTP/1.1 200 OK\r\nContent-Le");
  const auto answer = HttpPostOnceItListens(server.url(), {}, "the end", absl::Seconds(30), [] { FAIL(); });
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace refund_relay
