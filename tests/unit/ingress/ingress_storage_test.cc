// What the sender hears when the log is slow, full, failed or shutting down; rate limit; equal webhooks at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/testing/running_ingress.h"

namespace refund_relay::testing {
namespace {

using ::testing::HasSubstr;

TEST(IngressStorageTest, ErrorsOfTheLogAre503WithRetryAfter) {
  RunningIngress ingress;
  HttpPeer peer = ingress.Connect();
  for (const absl::Status& status : {absl::ResourceExhaustedError("queue"), absl::UnavailableError("disk full"),
                                     absl::AbortedError("a sync failed")}) {
    ingress.log.FailWith(status);
    const HttpReply reply = peer.Exchange(SignedRequest(WebhookBody()));
    EXPECT_EQ(reply.status, 503) << status;
    EXPECT_NE(reply.Field("retry-after"), "");
    EXPECT_FALSE(reply.closes());
    EXPECT_FALSE(absl::StrContains(reply.body, status.message())) << "the cause is ours alone";
  }
  ingress.log.FailWith(absl::InternalError("a bug"));
  EXPECT_EQ(peer.Exchange(SignedRequest(WebhookBody())).status, 500);
  ingress.log.FailWith(absl::OkStatus());
  EXPECT_EQ(peer.Exchange(SignedRequest(WebhookBody())).status, 200) << "recovers by itself";
  EXPECT_EQ(ingress.Metric("refund_relay_webhooks_total", "result", "overloaded"), 1);
  EXPECT_EQ(ingress.Metric("refund_relay_webhooks_total", "result", "unavailable"), 2);
}

TEST(IngressStorageTest, FullQueueComesBeforeFaultsOfTheBody) {
  RunningIngress ingress;
  ingress.log.SetQueue(8, 8);
  EXPECT_EQ(ingress.Exchange(SignedRequest("{")).status, 503);
  ingress.log.SetQueue(7, 8);
  EXPECT_EQ(ingress.Exchange(SignedRequest("{")).status, 400);
}

TEST(IngressStorageTest, SlowCommitIs504AndItsLateAnswerGoesNowhere) {
  RunningIngress::Settings settings;
  settings.http.answer_timeout = absl::Milliseconds(100);
  settings.http.sweep_interval = absl::Milliseconds(10);
  RunningIngress ingress(settings);
  ingress.log.Hold();
  HttpPeer peer = ingress.Connect();
  const HttpReply late = peer.Exchange(SignedRequest(WebhookBody("a")));
  EXPECT_EQ(late.status, 504);
  EXPECT_EQ(late.Field("content-type"), "application/problem+json");
  EXPECT_FALSE(late.closes());
  ingress.log.Release();
  // The same connection goes on, and gets the answers to its own requests only.
  const HttpReply again = peer.Exchange(SignedRequest(WebhookBody("a")));
  EXPECT_EQ(again.status, 200);
  EXPECT_THAT(again.body, HasSubstr("duplicate"));
  const HttpReply other = peer.Exchange(SignedRequest(WebhookBody("b")));
  EXPECT_THAT(other.body, HasSubstr("\"sequence\":2"));
  EXPECT_FALSE(peer.HasInput());
  EXPECT_EQ(ingress.Metric("refund_relay_webhooks_total", "result", "timeout"), 1);
}

TEST(IngressStorageTest, AnswersAfterTheIngressIsGoneGoNowhere) {
  ScriptedEventLog log;
  log.Hold();
  prometheus::Registry registry;
  IngressMetrics metrics(registry);
  MemoryEventLog kept;
  HistoryReader history(log, 1);
  Publisher publisher(log, kept.quarantine(), history);
  CredentialStore credentials({std::string(kSecretFile)}, {});
  ASSERT_TRUE(credentials.Update(kSecretFile, kSecret).ok());
  {
    Ingress ingress({}, 0, {credentials, publisher, metrics, Clock::System()}, &ParseWebhook);
    ASSERT_TRUE(ingress.Start({"127.0.0.1", 0}).ok());
    HttpPeer peer(ingress.port());
    peer.Send(SignedRequest(WebhookBody()));
    ASSERT_TRUE(log.AwaitWaiting(1, absl::Seconds(HttpPeer::kPatienceSeconds)));
    EXPECT_FALSE(ingress.Stop(absl::Now())) << "it had to be cut";
    EXPECT_NE(peer.Read().status, 200);
  }
  log.Release();
}

TEST(IngressStorageTest, SixtyFourEqualWebhooksAtOnceAreOneEventAndTrueAnswers) {
  constexpr int kSenders = 64;
  RunningIngress ingress;
  const std::string request = SignedRequest(WebhookBody());
  std::barrier start(kSenders);
  std::atomic<int> accepted = 0;
  std::atomic<int> duplicate = 0;
  std::vector<std::thread> senders;
  for (int i = 0; i < kSenders; ++i) {
    senders.emplace_back([&] {
      HttpPeer peer = ingress.Connect();
      start.arrive_and_wait();
      const HttpReply reply = peer.Exchange(request);
      if (reply.status != 200 || !absl::StrContains(reply.body, "\"sequence\":1}")) return;
      if (absl::StrContains(reply.body, "\"accepted\"")) ++accepted;
      if (absl::StrContains(reply.body, "\"duplicate\"")) ++duplicate;
    });
  }
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(accepted, 1);
  EXPECT_EQ(duplicate, kSenders - 1);
  EXPECT_EQ(ingress.log.stored().size(), 1u);
}

TEST(IngressStorageTest, RateLimitCountsAuthenticWebhooksOnly) {
  RunningIngress::Settings settings;
  settings.max_webhooks_per_second = 0.001;  // one, and then none for a long time
  RunningIngress ingress(settings);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ingress.Exchange(Request(WebhookBody()).Text()).status, 401);
  const std::string wrong = absl::StrCat("X-Conscent-Signature: ", Sign("other"));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ingress.Exchange(Request(WebhookBody(), {wrong}).Text()).status, 401);
  EXPECT_EQ(ingress.Exchange(SignedRequest(WebhookBody())).status, 200);
  const HttpReply limited = ingress.Exchange(SignedRequest("{"));
  EXPECT_EQ(limited.status, 429) << "comes before 400";
  EXPECT_NE(limited.Field("retry-after"), "");
  EXPECT_EQ(ingress.Exchange(Request(WebhookBody(), {wrong}).Text()).status, 401) << "401 comes before 429";
}

TEST(IngressStorageTest, SecretsRotateUnderLoad) {
  RunningIngress ingress;
  ASSERT_TRUE(ingress.credentials.Update(kSecretFile, "old\nnew").ok());
  std::atomic<bool> stop = false;
  std::atomic<int> refused = 0;
  std::atomic<int> taken = 0;
  std::vector<std::thread> senders;
  for (int i = 0; i < 4; ++i) {
    senders.emplace_back([&, i] {
      const std::string body = WebhookBody(absl::StrCat("r", i));
      const std::string secret = i % 2 == 0 ? "old" : "new";
      const std::string request = Request(body, {absl::StrCat("X-Conscent-Signature: ", Sign(body, secret))}).Text();
      HttpPeer peer = ingress.Connect();
      while (!stop) peer.Exchange(request).status == 200 ? ++taken : ++refused;
    });
  }
  // Both secrets stay valid through every swap, and through files that turn bad.
  for (int i = 0; i < 200 || taken < 500; ++i) {
    const char* const contents[] = {"old\nnew", "new\nold\nthird", "", "new\n\nold\n", "bad\x01"};
    ingress.credentials.Update(kSecretFile, contents[i % 5]).IgnoreError();
    if (refused > 0) break;
  }
  stop = true;
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(refused, 0);
  ASSERT_TRUE(ingress.credentials.Update(kSecretFile, "new").ok());
  const std::string body = WebhookBody();
  const std::string old_request = Request(body, {absl::StrCat("X-Conscent-Signature: ", Sign(body, "old"))}).Text();
  EXPECT_EQ(ingress.Exchange(old_request).status, 401) << "a secret that was taken out is out at once";
}

TEST(IngressStorageTest, DrainingAnswers503AndCloses) {
  RunningIngress ingress;
  ingress.log.Hold();
  HttpPeer under_way = ingress.Connect();
  under_way.Send(SignedRequest(WebhookBody("a")));
  ASSERT_TRUE(ingress.log.AwaitWaiting(1, absl::Seconds(HttpPeer::kPatienceSeconds)));
  ingress.ingress().StartDraining();
  const HttpReply refused = ingress.Exchange(SignedRequest(WebhookBody("b")));
  EXPECT_EQ(refused.status, 503);
  EXPECT_NE(refused.Field("retry-after"), "");
  EXPECT_TRUE(refused.closes());
  EXPECT_EQ(ingress.Exchange(SignedRequest("{")).status, 503) << "503 comes before 400";
  EXPECT_EQ(ingress.Exchange(Request("{").Text()).status, 401) << "401 comes before 503";
  ingress.log.Release();
  const HttpReply answered = under_way.Read();
  EXPECT_EQ(answered.status, 200);
  EXPECT_TRUE(answered.closes());
}

TEST(IngressStorageTest, PublisherThatDrainsIs503) {
  RunningIngress ingress;
  ingress.publisher.StartDraining();
  EXPECT_EQ(ingress.Exchange(SignedRequest(WebhookBody())).status, 503);
  EXPECT_EQ(ingress.Exchange(SignedRequest("{")).status, 503);
}

}  // namespace
}  // namespace refund_relay::testing
