// Every row of the contract's table of answers, and the order in which the checks come.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/testing/running_ingress.h"

namespace refund_relay::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

class IngressContractTest : public ::testing::Test {
 protected:
  // Expects a problem+json of `status` and returns the reply.
  HttpReply ExpectProblem(int status, std::string_view request) {
    HttpPeer peer = ingress_.Connect();
    const HttpReply reply = peer.Exchange(request);
    EXPECT_EQ(reply.status, status) << reply.body;
    EXPECT_EQ(reply.Field("content-type"), "application/problem+json");
    EXPECT_THAT(reply.body, MatchesRegex(R"(\{"title":".+","status":[0-9]+,"detail":".+"\})"));
    EXPECT_THAT(reply.body, HasSubstr(absl::StrCat("\"status\":", status)));
    EXPECT_THAT(reply.Field("x-request-id"), MatchesRegex("[0-9a-f]+"));
    if (reply.closes()) {
      peer.FinishSending();
      EXPECT_TRUE(peer.AwaitEnd());
    }
    return reply;
  }

  static std::string WithoutField(std::string request, std::string_view name) {
    const size_t begin = request.find(absl::StrCat("\r\n", absl::string_view(name.data(), name.size()), ":"));
    EXPECT_NE(begin, std::string::npos);
    return request.erase(begin, request.find("\r\n", begin + 2) - begin);
  }

  RunningIngress ingress_;
};

TEST_F(IngressContractTest, SignedWebhookIsAcceptedThenDuplicate) {
  const HttpReply first = ingress_.Exchange(SignedRequest(WebhookBody()));
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.Field("content-type"), "application/json");
  EXPECT_THAT(first.body, MatchesRegex(R"(\{"status":"accepted","event_id":"65e02242d03692125f1f3593-[0-9a-f]+",)"
                                       R"("sequence":1\})"));
  EXPECT_THAT(first.Field("x-request-id"), MatchesRegex("[0-9a-f]{16}"));
  EXPECT_THAT(first.Field("date"), HasSubstr(" GMT"));
  const HttpReply second = ingress_.Exchange(SignedRequest(WebhookBody()));
  EXPECT_EQ(second.status, 200);
  EXPECT_EQ(second.body, absl::StrReplaceAll(first.body, {{"accepted", "duplicate"}}));
  EXPECT_NE(second.Field("x-request-id"), first.Field("x-request-id"));
  EXPECT_EQ(ingress_.Metric("refund_relay_webhooks_total", "result", "accepted"), 1);
  EXPECT_EQ(ingress_.Metric("refund_relay_webhooks_total", "result", "duplicate"), 1);
  EXPECT_EQ(ingress_.Metric("refund_relay_authentication_total", "key", "webhook_secrets:1"), 2);
  EXPECT_GT(ingress_.Metric("refund_relay_last_webhook_timestamp_seconds", "result", "accepted"), 1.6e9);
}

TEST_F(IngressContractTest, BasicIsEnough) {
  const std::string request = Request(WebhookBody(), {"Authorization: " + BasicHeader()}).Text();
  EXPECT_EQ(ingress_.Exchange(request).status, 200);
  EXPECT_EQ(ingress_.Metric("refund_relay_authentication_total", "key", "webhook_basic:1"), 1);
}

TEST_F(IngressContractTest, ChunkedQueryAndAbsentTypeAreFine) {
  const std::string body = WebhookBody();
  RequestText request;
  request.line = "POST /webhooks/refund?x=1 HTTP/1.1";
  request.fields = {"Host: relay", "Transfer-Encoding: chunked", "Content-Encoding: identity",
                    absl::StrCat("X-Conscent-Signature: ", Sign(body))};
  request.body = absl::StrCat("a\r\n", body.substr(0, 10), "\r\n", absl::Hex(body.size() - 10), "\r\n", body.substr(10),
                              "\r\n0\r\n\r\n");
  EXPECT_EQ(ingress_.Exchange(request.Text()).status, 200);
}

TEST_F(IngressContractTest, TraceparentTravelsIntoTheEvent) {
  constexpr char kTrace[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  ASSERT_EQ(ingress_.Exchange(SignedRequest(WebhookBody("a"), {absl::StrCat("traceparent: ", kTrace)})).status, 200);
  ASSERT_EQ(ingress_.Exchange(SignedRequest(WebhookBody("b"), {"traceparent: nonsense"})).status, 200);
  refundrelay::v1::RefundEvent event;
  const auto stored = ingress_.log.stored();
  ASSERT_EQ(stored.size(), 2u);
  ASSERT_TRUE(event.ParseFromString(stored[0].event));
  EXPECT_EQ(event.traceparent(), kTrace);
  ASSERT_TRUE(event.ParseFromString(stored[1].event));
  EXPECT_EQ(event.traceparent(), "");
}

TEST_F(IngressContractTest, NoOrWrongCredentialsAre401) {
  const std::string body = WebhookBody();
  const std::string basic = "Authorization: " + BasicHeader();
  for (const std::vector<std::string>& fields : std::initializer_list<std::vector<std::string>>{
           {},
           {"X-Conscent-Signature: 00"},
           {absl::StrCat("X-Conscent-Signature: ", Sign(body)), absl::StrCat("X-Conscent-Signature: ", Sign(body)),
            basic},
           {absl::StrCat("X-Conscent-Signature: ", Sign(body, "another")), basic},
           {absl::StrCat("X-Conscent-Signature: ", Sign(body, "another"))},
           {"Authorization: " + BasicHeader("api-key:wrong")},
           {"Authorization: Bearer x"}}) {
    const HttpReply reply = ExpectProblem(401, Request(body, fields).Text());
    EXPECT_THAT(reply.Field("www-authenticate"), HasSubstr("Basic realm="));
  }
  EXPECT_EQ(ingress_.log.stored().size(), 0u);
  EXPECT_EQ(ingress_.Metric("refund_relay_webhooks_total", "result", "unauthenticated"), 7);
  EXPECT_EQ(ingress_.Metric("refund_relay_authentication_total", "result", "absent"), 1);
}

TEST_F(IngressContractTest, NotJsonIs400AndKeepsTheConnection) {
  const HttpReply reply = ExpectProblem(400, SignedRequest(R"({"event":)"));
  EXPECT_FALSE(reply.closes());
  EXPECT_EQ(ingress_.Metric("refund_relay_webhooks_total", "result", "malformed"), 1);
}

TEST_F(IngressContractTest, NoRefundEventIs422) {
  EXPECT_FALSE(ExpectProblem(422, SignedRequest(R"({"event":"paid.pass"})")).closes());
  EXPECT_EQ(ingress_.Metric("refund_relay_webhooks_total", "result", "unprocessable"), 1);
}

TEST_F(IngressContractTest, SchemaDriftIsCounted) {
  const std::string body = absl::StrReplaceAll(WebhookBody(), {{"refunded.pass", "refunded.bundle"}});
  EXPECT_EQ(ingress_.Exchange(SignedRequest(body)).status, 200);
  EXPECT_EQ(ingress_.Metric("refund_relay_schema_drift_total", "field", "event"), 1);
}

TEST_F(IngressContractTest, PathMethodLengthTypeExpectation) {
  const std::string good = SignedRequest(WebhookBody());
  ExpectProblem(404, absl::StrReplaceAll(good, {{"/webhooks/refund ", "/webhooks/refund/ "}}));
  ExpectProblem(404, absl::StrReplaceAll(good, {{"/webhooks/refund ", "/webhooks/%72efund "}}));
  for (const char* method : {"GET ", "PUT ", "FROB "}) {
    const HttpReply reply = ExpectProblem(405, absl::StrReplaceAll(good, {{"POST ", method}}));
    EXPECT_EQ(reply.Field("allow"), "POST");
  }
  ExpectProblem(411, WithoutField(good, "Content-Length"));
  ExpectProblem(415, absl::StrReplaceAll(good, {{"application/json;charset=utf-8", "text/plain"}}));
  ExpectProblem(415, absl::StrReplaceAll(good, {{"charset=utf-8", "charset=utf-16"}}));
  ExpectProblem(415, SignedRequest(WebhookBody(), {"Content-Encoding: gzip"}));
  ExpectProblem(415, SignedRequest(WebhookBody(), {"Content-Type: application/json"}));
  ExpectProblem(417, SignedRequest(WebhookBody(), {"Expect: the-unexpected"}));
  EXPECT_EQ(ingress_.log.stored().size(), 0u);
}

TEST_F(IngressContractTest, HeadIs405WithoutABody) {
  HttpPeer peer = ingress_.Connect();
  peer.Send("HEAD /webhooks/refund HTTP/1.1\r\nHost: a\r\n\r\n");
  const HttpReply reply = peer.Read(/*to_head=*/true);
  EXPECT_EQ(reply.status, 405);
  EXPECT_EQ(reply.Field("allow"), "POST");
  EXPECT_TRUE(peer.AwaitEnd());
}

TEST_F(IngressContractTest, TooLargeIs413FromTheHeadAlone) {
  const std::string signature = absl::StrCat("X-Conscent-Signature: ", Sign("x"));
  RequestText request = Request("", {signature});
  request.fields[2] = "Content-Length: 65537";
  EXPECT_TRUE(ExpectProblem(413, request.Text()).closes());
  request.fields[2] = "Transfer-Encoding: chunked";
  request.body = "10001\r\n";
  EXPECT_TRUE(ExpectProblem(413, request.Text()).closes());
  EXPECT_EQ(ingress_.Metric("refund_relay_webhooks_total", "result", "too_large"), 2);
}

TEST_F(IngressContractTest, LargestBodyIsTaken) {
  std::string body = WebhookBody();
  body += std::string(65536 - body.size(), ' ');
  EXPECT_EQ(ingress_.Exchange(SignedRequest(body)).status, 200);
}

// Each step spoils one more thing, from the last check to the first: the earlier check must win.
TEST_F(IngressContractTest, OrderOfChecks) {
  const std::string malformed = "{";
  ExpectProblem(400, SignedRequest(malformed));
  ingress_.log.FailWith(absl::UnavailableError("disk full"));
  ExpectProblem(503, SignedRequest(malformed));
  RequestText request = Request(malformed, {absl::StrCat("X-Conscent-Signature: ", Sign("other"))});
  ExpectProblem(401, request.Text());
  request.fields[3] = "X-Conscent-Signature: ill-formed";
  ExpectProblem(401, request.Text());
  request.fields[2] = "Content-Length: 65537";
  ExpectProblem(413, request.Text());
  request.fields.emplace_back("Expect: x");
  ExpectProblem(417, request.Text());
  request.fields[1] = "Content-Type: text/plain";
  ExpectProblem(415, request.Text());
  request.fields[2] = "X-No: length";
  ExpectProblem(411, request.Text());
  request.line = "PUT /webhooks/refund HTTP/1.1";
  ExpectProblem(405, request.Text());
  request.line = "PUT /nowhere HTTP/1.1";
  ExpectProblem(404, request.Text());
  request.fields.emplace_back("Host: twice");
  ExpectProblem(400, request.Text());
}

TEST_F(IngressContractTest, ChunkedTooLargeComesAfterCredentials) {
  RequestText request = Request("10001\r\n");
  request.fields[2] = "Transfer-Encoding: chunked";
  ExpectProblem(401, request.Text());
}

TEST_F(IngressContractTest, HeaderTooLargeIs431) {
  EXPECT_TRUE(ExpectProblem(431, SignedRequest(WebhookBody(), {"X: " + std::string(9000, 'x')})).closes());
}

TEST_F(IngressContractTest, AmbiguousFramingIs400AndClosesWithoutServingWhatFollows) {
  const std::string inner = SignedRequest(WebhookBody());
  for (const char* fields :
       {"Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 5", "Content-Length: 5, 5", "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, gzip\r\nContent-Length: 5", "Host: b\r\nContent-Length: 5", "Content-Length: +5",
        "Transfer-Encoding:\r\n chunked"}) {
    const HttpReply reply = ExpectProblem(
        400, absl::StrCat("POST /webhooks/refund HTTP/1.1\r\nHost: a\r\n", fields, "\r\n\r\n0\r\n\r\n", inner));
    EXPECT_TRUE(reply.closes()) << fields;
  }
  ExpectProblem(400,
                absl::StrCat("POST /webhooks/refund HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", inner));
  EXPECT_EQ(ingress_.log.stored().size(), 0u);
}

TEST_F(IngressContractTest, LogLinesTellResultsAndNoSecrets) {
  const std::string body = WebhookBody();
  const HttpReply accepted = ingress_.Exchange(SignedRequest(body, {"X-Odd: odd-header-value"}));
  const HttpReply refused = ingress_.Exchange(SignedRequest("{\"user\":\"very-personal\""));
  ingress_.Exchange(Request(body, {"Authorization: " + BasicHeader("spy:guessed-password")}).Text());
  std::string all;
  for (const std::string& line : ingress_.log_lines()) {
    absl::StrAppend(&all, line, "\n");
    const bool stored = line.find("\"result\":\"accepted\"") != std::string::npos;
    EXPECT_EQ(line.find("\"event_id\":") != std::string::npos, stored) << "no field without a value: " << line;
  }
  EXPECT_THAT(all, HasSubstr(accepted.Field("x-request-id")));
  EXPECT_THAT(all, HasSubstr(refused.Field("x-request-id")));
  EXPECT_THAT(all, HasSubstr("\"result\":\"accepted\""));
  EXPECT_THAT(all, HasSubstr("\"result\":\"malformed\""));
  EXPECT_THAT(all, HasSubstr("\"sequence\":1"));
  EXPECT_THAT(all, HasSubstr("\"duration_ms\":"));
  EXPECT_THAT(all, HasSubstr("65e02242d03692125f1f3593-"));
  for (const std::string& secret :
       {std::string(kSecret), std::string(kBasicPair), Sign(body), BasicHeader("spy:guessed-password"),
        std::string("very-personal"), std::string("odd-header-value"), std::string("INR")}) {
    EXPECT_THAT(all, Not(HasSubstr(secret)));
  }
}

}  // namespace
}  // namespace refund_relay::testing
