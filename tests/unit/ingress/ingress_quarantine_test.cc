// What the ingress keeps in quarantine, and what it answers then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "tests/testing/running_ingress.h"

namespace refund_relay::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class IngressQuarantineTest : public ::testing::Test {
 protected:
  std::vector<QuarantinedWebhook> Kept(RunningIngress& ingress) {
    QuarantineQuery query;
    query.include_body = true;
    return ingress.kept.quarantine().Read(query).value();
  }

  // WebhookBody with another amount: the same event id.
  static std::string Conflicting() { return absl::StrReplaceAll(WebhookBody(), {{"\"amount\":1", "\"amount\":2"}}); }

  static double Count(RunningIngress& ingress, const std::string& result) {
    return ingress.Metric("refund_relay_webhooks_total", "result", result);
  }
};

TEST_F(IngressQuarantineTest, ABodyThatIsNotJsonIsKeptAndRefusedOnce) {
  RunningIngress ingress;
  const std::string body = "{\"phone\":\"+919999999999\",";
  const HttpReply first =
      ingress.Exchange(SignedRequest(body, {"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}));
  EXPECT_EQ(first.status, 400);
  const auto kept = Kept(ingress);
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].reason, QuarantineReason::kNotJson);
  EXPECT_EQ(kept[0].body, body);
  EXPECT_EQ(kept[0].traceparent, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  EXPECT_THAT(first.body, HasSubstr(absl::StrCat("\"quarantine_id\":\"", kept[0].quarantine_id, "\"")));
  EXPECT_THAT(first.body, HasSubstr(kept[0].detail)) << "the answer says where it broke";
  EXPECT_EQ(Count(ingress, "malformed"), 1);

  const HttpReply again = ingress.Exchange(SignedRequest(body));
  EXPECT_EQ(again.status, 200) << "the second answer ends the retries";
  EXPECT_EQ(again.body, absl::StrCat("{\"status\":\"quarantined\",\"quarantine_id\":\"", kept[0].quarantine_id, "\"}"));
  EXPECT_EQ(Kept(ingress)[0].times_received, 2u);
  EXPECT_EQ(Count(ingress, "quarantined"), 1);
  EXPECT_TRUE(ingress.log.stored().empty());
  EXPECT_THAT(absl::StrJoin(ingress.log_lines(), "\n"), Not(HasSubstr("9999999999"))) << "personal data in the log";
  EXPECT_THAT(absl::StrJoin(ingress.log_lines(), "\n"), HasSubstr(kept[0].quarantine_id));
}

TEST_F(IngressQuarantineTest, JsonThatIsNoRefundEventIsKeptAndRefused422) {
  RunningIngress ingress;
  const HttpReply reply = ingress.Exchange(SignedRequest("{\"event\":\"bought.pass\"}"));
  EXPECT_EQ(reply.status, 422);
  const auto kept = Kept(ingress);
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].reason, QuarantineReason::kNotARefundEvent);
  EXPECT_THAT(reply.body, HasSubstr(kept[0].quarantine_id));
  EXPECT_EQ(Count(ingress, "unprocessable"), 1);
}

TEST_F(IngressQuarantineTest, AForgedBodyIsNotKept) {
  RunningIngress ingress;
  EXPECT_EQ(ingress.Exchange(Request("{", {absl::StrCat("X-Conscent-Signature: ", Sign("other"))}).Text()).status, 401);
  EXPECT_TRUE(Kept(ingress).empty());
}

TEST_F(IngressQuarantineTest, TheSameIdWithOtherContentIsAConflict) {
  RunningIngress ingress;
  ASSERT_EQ(ingress.Exchange(SignedRequest(WebhookBody())).status, 200);
  for (int i = 0; i < 2; ++i) {
    const HttpReply reply = ingress.Exchange(SignedRequest(Conflicting()));
    EXPECT_EQ(reply.status, 200);
    EXPECT_THAT(reply.body, HasSubstr("\"status\":\"duplicate\""));
    EXPECT_THAT(reply.body, HasSubstr("\"sequence\":1"));
    const auto kept = Kept(ingress);
    ASSERT_EQ(kept.size(), 1u);
    EXPECT_EQ(kept[0].reason, QuarantineReason::kConflict);
    EXPECT_EQ(kept[0].body, Conflicting());
    EXPECT_THAT(reply.body, HasSubstr(absl::StrCat("\"event_id\":\"", kept[0].event_id, "\"")));
    EXPECT_THAT(reply.body, HasSubstr(absl::StrCat("\"quarantine_id\":\"", kept[0].quarantine_id, "\"")));
  }
  EXPECT_EQ(Count(ingress, "conflict"), 2);
  EXPECT_EQ(Count(ingress, "duplicate"), 0);
  EXPECT_EQ(ingress.log.stored().size(), 1u);
}

TEST_F(IngressQuarantineTest, TheSameContentInOtherBytesIsADuplicate) {
  RunningIngress ingress;
  ASSERT_EQ(ingress.Exchange(SignedRequest(WebhookBody())).status, 200);
  const std::string later = absl::StrReplaceAll(WebhookBody(), {{"1709187681", "1709187999"}, {",", ",\n "}});
  const HttpReply reply = ingress.Exchange(SignedRequest(later));
  EXPECT_THAT(reply.body, HasSubstr("\"status\":\"duplicate\""));
  EXPECT_THAT(reply.body, Not(HasSubstr("quarantine_id")));
  EXPECT_EQ(Count(ingress, "duplicate"), 1);
  EXPECT_TRUE(Kept(ingress).empty());
}

TEST_F(IngressQuarantineTest, AFullQuarantineRefusesOnlyWhatWouldHaveToBeKept) {
  RunningIngress ingress({.max_quarantined_webhooks = 1});
  const std::string kept_body = "{";
  ASSERT_EQ(ingress.Exchange(SignedRequest(kept_body)).status, 400);
  ASSERT_EQ(ingress.Exchange(SignedRequest(WebhookBody())).status, 200);
  for (const std::string& body : {std::string("["), Conflicting()}) {
    const HttpReply refused = ingress.Exchange(SignedRequest(body));
    EXPECT_EQ(refused.status, 503);
    EXPECT_EQ(refused.Field("retry-after"), "60");
    EXPECT_THAT(refused.body, Not(HasSubstr("quarantine_id")));
  }
  EXPECT_EQ(Count(ingress, "quarantine_full"), 2);
  EXPECT_EQ(ingress.Exchange(SignedRequest(kept_body)).status, 200) << "it is in there";
  EXPECT_EQ(ingress.Exchange(SignedRequest(WebhookBody("65e02242d03692125f1f3599"))).status, 200)
      << "good webhooks go on";
}

TEST_F(IngressQuarantineTest, WhenTheQuarantineCannotBeWrittenTheSenderComesBack) {
  RunningIngress ingress;
  ASSERT_TRUE(ingress.kept.Close(absl::InfiniteFuture()).ok());
  const HttpReply reply = ingress.Exchange(SignedRequest("{"));
  EXPECT_EQ(reply.status, 503) << "never 4xx for a fault of ours";
  EXPECT_FALSE(reply.Field("retry-after").empty());
}

TEST_F(IngressQuarantineTest, ADuplicateThatCannotBeComparedIsNotConfirmed) {
  RunningIngress ingress;
  ASSERT_EQ(ingress.Exchange(SignedRequest(WebhookBody())).status, 200);
  ingress.history.Stop();
  const HttpReply reply = ingress.Exchange(SignedRequest(WebhookBody()));
  EXPECT_EQ(reply.status, 503);
}

TEST_F(IngressQuarantineTest, ManyEqualBadBodiesAtOnceAreKeptOnce) {
  constexpr int kSenders = 32;
  RunningIngress ingress;
  const std::string request = SignedRequest("{\"bad\":");
  std::barrier start(kSenders);
  std::atomic<int> refused = 0;
  std::atomic<int> quarantined = 0;
  std::vector<std::thread> senders;
  for (int i = 0; i < kSenders; ++i) {
    senders.emplace_back([&] {
      HttpPeer peer = ingress.Connect();
      start.arrive_and_wait();
      const HttpReply reply = peer.Exchange(request);
      if (reply.status == 400) ++refused;
      if (reply.status == 200 && absl::StrContains(reply.body, "\"quarantined\"")) ++quarantined;
    });
  }
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(quarantined, kSenders - 1);
  EXPECT_EQ(Kept(ingress).size(), 1u);
}

}  // namespace
}  // namespace refund_relay::testing
