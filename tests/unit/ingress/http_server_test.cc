// How connections behave: keep-alive, pipelining, deadlines, 100-continue, early answers, limits, stop.
#include "server/ingress/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/testing/running_ingress.h"

namespace refund_relay::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Seconds(HttpPeer::kPatienceSeconds);

RunningIngress::Settings Impatient() {
  RunningIngress::Settings settings;
  settings.http.request_timeout = absl::Milliseconds(150);
  settings.http.sweep_interval = absl::Milliseconds(10);
  return settings;
}

TEST(HttpServerTest, KeepsAConnectionForManyRequests) {
  RunningIngress ingress;
  HttpPeer peer = ingress.Connect();
  for (int i = 1; i <= 20; ++i) {
    const HttpReply reply = peer.Exchange(SignedRequest(WebhookBody(absl::StrCat("r", i))));
    EXPECT_EQ(reply.status, 200);
    EXPECT_FALSE(reply.closes());
    EXPECT_THAT(reply.body, HasSubstr(absl::StrCat("\"sequence\":", i, "}")));
  }
  EXPECT_EQ(ingress.Metric("refund_relay_http_connections"), 1);
}

TEST(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  RunningIngress ingress;
  std::string requests;
  for (int i = 1; i <= 50; ++i) requests += SignedRequest(WebhookBody(absl::StrCat("r", i)));
  HttpPeer peer = ingress.Connect();
  ASSERT_TRUE(peer.Send(requests));
  for (int i = 1; i <= 50; ++i) {
    EXPECT_THAT(peer.Read().body, HasSubstr(absl::StrCat("\"sequence\":", i, "}")));
  }
}

TEST(HttpServerTest, RequestsThatComeByteByByte) {
  RunningIngress ingress;
  HttpPeer peer = ingress.Connect();
  for (const char c : SignedRequest(WebhookBody())) ASSERT_TRUE(peer.Send(std::string_view(&c, 1)));
  EXPECT_EQ(peer.Read().status, 200);
}

TEST(HttpServerTest, ClosesWhenAsked) {
  RunningIngress ingress;
  HttpPeer peer = ingress.Connect();
  const HttpReply reply = peer.Exchange(SignedRequest(WebhookBody(), {"Connection: close"}));
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.closes());
  EXPECT_TRUE(peer.AwaitEnd());
}

TEST(HttpServerTest, Http10KeepsOnlyWhenAsked) {
  RunningIngress ingress;
  RequestText request = Request(WebhookBody(), {absl::StrCat("X-Conscent-Signature: ", Sign(WebhookBody()))});
  request.line = "POST /webhooks/refund HTTP/1.0";
  HttpPeer once = ingress.Connect();
  EXPECT_TRUE(once.Exchange(request.Text()).closes());
  EXPECT_TRUE(once.AwaitEnd());
  request.fields.emplace_back("Connection: keep-alive");
  HttpPeer twice = ingress.Connect();
  EXPECT_EQ(twice.Exchange(request.Text()).Field("connection"), "keep-alive");
  EXPECT_EQ(twice.Exchange(request.Text()).status, 200);
}

TEST(HttpServerTest, HalfClosedSenderStillGetsItsAnswer) {
  RunningIngress ingress;
  HttpPeer peer = ingress.Connect();
  peer.Send(SignedRequest(WebhookBody()));
  peer.FinishSending();
  EXPECT_EQ(peer.Read().status, 200);
  EXPECT_TRUE(peer.AwaitEnd());
}

TEST(HttpServerTest, SlowHeadIs408) {
  RunningIngress ingress(Impatient());
  HttpPeer peer = ingress.Connect();
  peer.Send("POST /webhooks/refund HTTP/1.1\r\nHost: a\r\n");
  const HttpReply reply = peer.Read();
  EXPECT_EQ(reply.status, 408);
  EXPECT_TRUE(reply.closes());
  EXPECT_TRUE(peer.AwaitEnd());
  EXPECT_EQ(ingress.Metric("refund_relay_webhooks_total", "result", "too_slow"), 1);
}

TEST(HttpServerTest, SlowBodyIs408) {
  RunningIngress ingress(Impatient());
  HttpPeer peer = ingress.Connect();
  const std::string request = SignedRequest(WebhookBody());
  peer.Send(request.substr(0, request.size() - 1));
  EXPECT_EQ(peer.Read().status, 408);
  EXPECT_TRUE(peer.AwaitEnd());
  EXPECT_EQ(ingress.log.stored().size(), 0u);
}

TEST(HttpServerTest, BytesThatTrickleDoNotMoveTheDeadline) {
  RunningIngress ingress(Impatient());
  HttpPeer peer = ingress.Connect();
  peer.Send("POST /webhooks/refund HTTP/1.1\r\nHost: a\r\nX: ");
  // One byte again and again until the server has spoken; a deadline per read would never end this.
  const absl::Time give_up = absl::Now() + kPatience;
  while (!peer.HasInput() && absl::Now() < give_up) {
    peer.Send("x");
    absl::SleepFor(absl::Milliseconds(5));
  }
  EXPECT_EQ(peer.Read().status, 408);
}

TEST(HttpServerTest, SecondRequestHasADeadlineOfItsOwn) {
  RunningIngress ingress(Impatient());
  HttpPeer peer = ingress.Connect();
  EXPECT_EQ(peer.Exchange(SignedRequest(WebhookBody())).status, 200);
  peer.Send("POST ");
  EXPECT_EQ(peer.Read().status, 408);
}

TEST(HttpServerTest, IdleConnectionsAreClosedWithoutAWord) {
  RunningIngress::Settings settings = Impatient();
  settings.http.idle_timeout = absl::Milliseconds(50);
  RunningIngress ingress(settings);
  HttpPeer silent = ingress.Connect();
  EXPECT_TRUE(silent.AwaitEnd()) << "never sent a byte";
  HttpPeer served = ingress.Connect();
  EXPECT_EQ(served.Exchange(SignedRequest(WebhookBody())).status, 200);
  EXPECT_TRUE(served.AwaitEnd());
}

TEST(HttpServerTest, ContinueComesBeforeTheBodyIsSent) {
  RunningIngress ingress;
  HttpPeer peer = ingress.Connect();
  const std::string request = SignedRequest(WebhookBody(), {"Expect: 100-Continue"});
  const size_t body_begin = request.find("\r\n\r\n") + 4;
  peer.Send(request.substr(0, body_begin));
  EXPECT_EQ(peer.Read().status, 100);
  peer.Send(request.substr(body_begin));
  EXPECT_EQ(peer.Read().status, 200);
  EXPECT_EQ(peer.Exchange(SignedRequest(WebhookBody())).status, 200) << "the connection goes on";
}

TEST(HttpServerTest, NoContinueWhenTheHeadIsRefused) {
  RunningIngress ingress;
  for (const auto& [status, extra] : std::initializer_list<std::pair<int, std::vector<std::string>>>{
           {401, {}}, {415, {"Content-Encoding: gzip"}}, {400, {"Host: twice"}}}) {
    HttpPeer peer = ingress.Connect();
    std::vector<std::string> fields = extra;
    fields.emplace_back("Expect: 100-continue");
    RequestText request = Request(WebhookBody(), fields);
    request.body.clear();
    peer.Send(request.Text());
    const HttpReply reply = peer.Read();
    EXPECT_EQ(reply.status, status);
    EXPECT_TRUE(reply.closes());
    EXPECT_TRUE(peer.AwaitEnd());
  }
}

TEST(HttpServerTest, NoContinueForAnEmptyBodyOrHttp10) {
  RunningIngress ingress;
  EXPECT_EQ(ingress.Exchange(SignedRequest("", {"Expect: 100-continue"})).status, 400);
  RequestText request =
      Request(WebhookBody(), {absl::StrCat("X-Conscent-Signature: ", Sign(WebhookBody())), "Expect: 100-continue"});
  request.line = "POST /webhooks/refund HTTP/1.0";
  EXPECT_EQ(ingress.Exchange(request.Text()).status, 200);
}

TEST(HttpServerTest, SlowBodyAfterContinueIs408) {
  RunningIngress ingress(Impatient());
  HttpPeer peer = ingress.Connect();
  const std::string request = SignedRequest(WebhookBody(), {"Expect: 100-continue"});
  peer.Send(request.substr(0, request.find("\r\n\r\n") + 4));
  EXPECT_EQ(peer.Read().status, 100);
  EXPECT_EQ(peer.Read().status, 408);
}

TEST(HttpServerTest, SenderOfATooLargeBodySeesTheAnswer) {
  RunningIngress ingress;
  RequestText request = Request("", {absl::StrCat("X-Conscent-Signature: ", Sign("x"))});
  constexpr size_t kSize = 3 << 20;
  request.fields[2] = absl::StrCat("Content-Length: ", kSize);
  HttpPeer peer = ingress.Connect();
  // All of it goes through: a server that closed at once would reset the connection under way.
  EXPECT_TRUE(peer.Send(request.Text() + std::string(kSize, 'x')));
  EXPECT_EQ(peer.Read().status, 413);
  peer.FinishSending();
  EXPECT_TRUE(peer.AwaitEnd());
}

TEST(HttpServerTest, DiscardIsBoundedInBytes) {
  RunningIngress::Settings settings;
  settings.http.max_discard_bytes = 100000;
  settings.http.discard_timeout = absl::Hours(1);  // the other bound, which must not be what ends it
  RunningIngress ingress(settings);
  HttpPeer peer = ingress.Connect();
  RequestText request = Request("", {});
  request.fields[2] = "Content-Length: 1000000000";
  ASSERT_TRUE(peer.Send(request.Text()));
  const std::string piece(1 << 16, 'x');
  int pieces = 0;
  while (pieces < 10000 && peer.Send(piece)) ++pieces;
  EXPECT_LT(pieces, 10000) << "it would read for ever";
  const absl::Time give_up = absl::Now() + kPatience;
  while (ingress.ingress().open_connections() > 0 && absl::Now() < give_up) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_EQ(ingress.ingress().open_connections(), 0u) << "it stopped reading but kept the connection";
}

TEST(HttpServerTest, DiscardIsBoundedInTime) {
  RunningIngress::Settings settings;
  settings.http.discard_timeout = absl::Milliseconds(50);
  settings.http.sweep_interval = absl::Milliseconds(10);
  RunningIngress ingress(settings);
  HttpPeer peer = ingress.Connect();
  EXPECT_EQ(peer.Exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status, 404);
  EXPECT_TRUE(peer.AwaitEnd());
  const absl::Time give_up = absl::Now() + kPatience;
  while (ingress.ingress().open_connections() > 0 && absl::Now() < give_up) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_EQ(ingress.ingress().open_connections(), 0u) << "this peer never closes its side";
}

TEST(HttpServerTest, ConnectionsBeyondTheLimitAreRefusedAndRoomComesBack) {
  RunningIngress::Settings settings;
  settings.http.max_connections = 2;
  RunningIngress ingress(settings);
  HttpPeer first = ingress.Connect();
  ASSERT_EQ(first.Exchange(SignedRequest(WebhookBody())).status, 200);
  {
    HttpPeer second = ingress.Connect();
    ASSERT_EQ(second.Exchange(SignedRequest(WebhookBody())).status, 200);
    HttpPeer third = ingress.Connect();
    const HttpReply refused = third.Read();
    EXPECT_EQ(refused.status, 503);
    EXPECT_NE(refused.Field("retry-after"), "");
    EXPECT_TRUE(third.AwaitEnd());
    EXPECT_EQ(ingress.Metric("refund_relay_http_connections_refused_total", "reason", "total"), 1);
    EXPECT_EQ(first.Exchange(SignedRequest(WebhookBody())).status, 200) << "the others are not disturbed";
  }
  const absl::Time give_up = absl::Now() + kPatience;
  while (ingress.ingress().open_connections() > 1 && absl::Now() < give_up) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_EQ(ingress.Exchange(SignedRequest(WebhookBody())).status, 200);
}

TEST(HttpServerTest, OneAddressCannotTakeAllConnections) {
  RunningIngress::Settings settings;
  settings.http.max_connections = 4;
  settings.http.max_connections_per_peer = 2;
  RunningIngress ingress(settings);
  HttpPeer first = ingress.Connect();
  ASSERT_EQ(first.Exchange(SignedRequest(WebhookBody())).status, 200);
  HttpPeer second = ingress.Connect();
  ASSERT_EQ(second.Exchange(SignedRequest(WebhookBody())).status, 200);
  HttpPeer third = ingress.Connect();
  const HttpReply refused = third.Read();
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(refused.body, HasSubstr("from this address"));
  EXPECT_EQ(ingress.Metric("refund_relay_http_connections_refused_total", "reason", "peer"), 1);
  EXPECT_EQ(ingress.Metric("refund_relay_http_connections_refused_total", "reason", "total"), 0);
  EXPECT_EQ(ingress.ConnectFrom("127.0.0.2").Exchange(SignedRequest(WebhookBody())).status, 200);
  EXPECT_THAT(ingress.log_lines(), Contains(AllOf(HasSubstr("HTTP connection refused"), HasSubstr("127.0.0.1"),
                                                  HasSubstr("--max_http_connections_per_peer"))));
}

TEST(HttpServerTest, StrangersDoNotFillTheLog) {
  RunningIngress ingress;
  HttpPeer peer = ingress.Connect();
  const std::string body = WebhookBody();
  const std::string forged = Request(body, {absl::StrCat("X-Conscent-Signature: ", Sign(body, "guessed"))}).Text();
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(peer.Exchange(forged).status, 401);
  EXPECT_EQ(ingress.Metric("refund_relay_webhooks_total", "result", "unauthenticated"), 1000);
  const std::vector<std::string> lines = ingress.log_lines();
  const auto refusals = std::count_if(lines.begin(), lines.end(), [](const std::string& line) {
    return line.find("unauthenticated") != std::string::npos;
  });
  EXPECT_GT(refusals, 0);
  EXPECT_LT(refusals, 1000);
  EXPECT_EQ(ingress.Exchange(SignedRequest(WebhookBody())).status, 200);
  EXPECT_THAT(ingress.log_lines(), Contains(HasSubstr("accepted"))) << "the vendor's are always told";
}

TEST(HttpServerTest, SurvivesRunningOutOfFileDescriptors) {
  RunningIngress ingress;
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit low = before;
  low.rlim_cur = 64;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  {
    // Both ends live in this process: the last client socket leaves none for the server's accept.
    std::vector<HttpPeer> peers;
    while (true) {
      peers.push_back(ingress.Connect());
      if (!peers.back().connected()) break;
    }
    EXPECT_GT(peers.size(), 10u);
  }
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(ingress.Exchange(SignedRequest(WebhookBody())).status, 200);
}

TEST(HttpServerTest, StopClosesIdleConnectionsAtOnceAndFinishesTheOthers) {
  RunningIngress ingress;
  HttpPeer idle = ingress.Connect();
  ASSERT_EQ(idle.Exchange(SignedRequest(WebhookBody("a"))).status, 200);
  ingress.log.Hold();
  HttpPeer busy = ingress.Connect();
  busy.Send(SignedRequest(WebhookBody("b")));
  ASSERT_TRUE(ingress.log.AwaitWaiting(1, kPatience));
  std::thread peers([&] {
    EXPECT_TRUE(idle.AwaitEnd()) << "while the other one still waits";
    ingress.log.Release();
    const HttpReply reply = busy.Read();
    EXPECT_EQ(reply.status, 200);
    EXPECT_TRUE(reply.closes());
    busy.FinishSending();
  });
  EXPECT_TRUE(ingress.ingress().Stop(absl::Now() + kPatience));
  peers.join();
  EXPECT_FALSE(ingress.Connect().connected()) << "nobody listens any more";
  EXPECT_EQ(ingress.Metric("refund_relay_http_connections"), 0);
}

TEST(HttpServerTest, StopAnswersByItsDeadlineWhatDidNotFinish) {
  RunningIngress ingress;
  HttpPeer half_sent = ingress.Connect();
  const std::string request = SignedRequest(WebhookBody("a"), {"Expect: 100-continue"});
  half_sent.Send(request.substr(0, request.find("\r\n\r\n") + 4));
  ASSERT_EQ(half_sent.Read().status, 100) << "it waits for the body";
  ingress.log.Hold();
  HttpPeer unanswered = ingress.Connect();
  unanswered.Send(SignedRequest(WebhookBody("b")));
  ASSERT_TRUE(ingress.log.AwaitWaiting(1, kPatience));
  std::thread peers([&] {
    HttpReply reply = half_sent.Read();
    EXPECT_EQ(reply.status, 503);
    EXPECT_TRUE(reply.closes());
    EXPECT_NE(reply.Field("retry-after"), "");
    reply = unanswered.Read();
    EXPECT_EQ(reply.status, 504);
    EXPECT_TRUE(reply.closes());
  });
  EXPECT_FALSE(ingress.ingress().Stop(absl::Now() + absl::Seconds(2)));
  peers.join();
  EXPECT_EQ(ingress.Metric("refund_relay_http_connections"), 0);
  ingress.log.Release();
}

TEST(HttpServerTest, ServesIpv6AndTellsItsAddress) {
  RunningIngress::Settings settings;
  settings.host = "::1";
  RunningIngress ingress(settings);
  EXPECT_EQ(ingress.ingress().address(), absl::StrCat("[::1]:", ingress.ingress().port()));
  HttpPeer peer(ingress.ingress().port(), /*ipv6=*/true);
  EXPECT_EQ(peer.Exchange(SignedRequest(WebhookBody())).status, 200);
}

TEST(HttpServerTest, TakenPortIsAnErrorThatNamesIt) {
  RunningIngress ingress;
  class Nobody : public RequestHandler {
   public:
    std::unique_ptr<RequestExchange> NewExchange() override { return nullptr; }
    void CountConnection(int) override {}
    void CountRefusedConnection(PeerQuota::Verdict) override {}
    void CountHandshake(bool) override {}
  } nobody;
  HttpServer second({}, nobody);
  const absl::Status status = second.Start({"127.0.0.1", ingress.ingress().port()});
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr(ingress.ingress().address()));
  EXPECT_EQ(second.Start({"localhost", 0}).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace refund_relay::testing
