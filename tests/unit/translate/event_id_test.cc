// Event ids: those of the contract, and the rules for odd webhooks.
#include "server/translate/event_id.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "server/translate/sha256.h"
#include "server/translate/webhook_parser.h"

namespace refund_relay {
namespace {

using ::testing::MatchesRegex;

std::string IdOf(const std::string& body) {
  const absl::StatusOr<ParsedWebhook> webhook = ParseWebhook(body, {absl::FromUnixSeconds(1709187682), ""});
  EXPECT_TRUE(webhook.ok()) << webhook.status() << "\n" << body;
  return webhook.ok() ? webhook->event.event_id() : "";
}

std::string Refund(const std::string& more) { return R"({"_id":"r1","amount":1,"currency":"INR")" + more + "}"; }

std::string Body(const std::string& refund) {
  return R"({"event":"refunded.pass","payload":{"refund":)" + refund + "}}";
}

TEST(EventIdTest, IsOfTheContract) {
  EXPECT_EQ(MakeEventId("65e0220ed03692125f1f3592", "refunded.pay_per_use", "2024-02-29T06:20:28.907Z", "unused"),
            "65e0220ed03692125f1f3592-9a388ce337ca367a");
  EXPECT_EQ(MakeEventId("65e01fe8d03692125f1f356a", "refunded.subscription", "2024-02-29T06:11:18.961Z", "unused"),
            "65e01fe8d03692125f1f356a-17a8f58cd815c44c");
  EXPECT_EQ(MakeEventId("65e02242d03692125f1f3593", "refunded.pass", "2024-02-29T06:21:21.144Z", "unused"),
            "65e02242d03692125f1f3593-4ad38e3cfdb0ae41");
}

TEST(EventIdTest, WithoutUpdatedAtTheRefundsTextStandsIn) {
  for (const std::string& more : {std::string(), std::string(R"(,"updatedAt":null)"),
                                  std::string(R"(,"updatedAt":1709187681)"), std::string(R"(,"updatedAt":{})")}) {
    const std::string refund = Refund(more);
    EXPECT_EQ(IdOf(Body(refund)), "r1-" + LowerHex(Sha256({"refunded.pass\n" + LowerHex(Sha256({refund}))}), 8))
        << more;
  }
  // White space around the refund does not count, inside it does: it is the text that stands in.
  EXPECT_EQ(IdOf(Body(Refund(""))), IdOf(" " + Body("\n" + Refund("") + " ")));
  EXPECT_NE(IdOf(Body(Refund(""))), IdOf(Body(Refund(" "))));
}

TEST(EventIdTest, StringsCountAsDecodedAndAreNotNormalised) {
  EXPECT_EQ(IdOf(Body(Refund(R"(,"updatedAt":"2024")"))), IdOf(Body(Refund(R"(,"updatedAt":"\u0032024")"))));
  EXPECT_NE(IdOf(Body(Refund(R"(,"updatedAt":"2024-02-29T06:20:28.907Z")"))),
            IdOf(Body(Refund(R"(,"updatedAt":"2024-02-29T06:20:28.907+00:00")"))));
  EXPECT_EQ(IdOf(Body(Refund(R"(,"updatedAt":"")"))), "r1-" + LowerHex(Sha256({"refunded.pass\n"}), 8));
  // Composed and decomposed e-acute.
  EXPECT_NE(IdOf(Body(Refund(",\"updatedAt\":\"\xC3\xA9\""))), IdOf(Body(Refund(",\"updatedAt\":\"e\xCC\x81\""))));
}

TEST(EventIdTest, OtherMembersDoNotCount) {
  const std::string updated = R"(,"updatedAt":"2024-02-29T06:20:28.907Z")";
  EXPECT_EQ(IdOf(Body(Refund(updated))), IdOf(Body(Refund(updated + R"(,"amount2":5)"))));
}

TEST(EventIdTest, OddRefundIdsAreReplacedByTheirHash) {
  std::set<std::string> ids;
  for (const std::string& odd :
       {std::string(65, 'a'), std::string("a-b"), std::string("a.b"), std::string("a b"), std::string("a/b"),
        std::string("\xC3\xA9"), std::string("a\0b", 3), std::string("*")}) {
    const std::string id = MakeEventId(odd, "refunded.pass", "2024", "");
    EXPECT_EQ(id.substr(0, 66), "x" + LowerHex(Sha256({odd})) + "-");
    EXPECT_EQ(id.size(), 82u);
    EXPECT_THAT(id, MatchesRegex("[0-9A-Za-z_-]+"));
    EXPECT_TRUE(ids.insert(id).second);
  }
  for (const std::string& plain : {std::string(64, 'a'), std::string("_"), std::string("Zz09_")}) {
    EXPECT_EQ(MakeEventId(plain, "refunded.pass", "2024", "").rfind(plain + "-", 0), 0u);
  }
}

}  // namespace
}  // namespace refund_relay
