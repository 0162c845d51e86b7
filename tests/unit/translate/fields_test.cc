// Odd members: what the typed fields say, what goes to extra_fields, and what counts as drift.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/translate/webhook_parser.h"

namespace refund_relay {
namespace {

using refundrelay::v1::ExtraField;
using refundrelay::v1::RefundEvent;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

struct Case {
  std::string root = {};     // members of the root, each with its comma before it
  std::string refund = {};   // likewise of payload.refund
  std::string payload = {};  // likewise of payload
  std::string event = "refunded.pass";
  std::string amount = "1";
  std::string currency = "INR";
};

ParsedWebhook Parse(const Case& c) {
  const std::string body = "{\"event\":\"" + c.event + "\"" + c.root +
                           ",\"payload\":{\"refund\":{\"_id\":\"r\",\"amount\":" + c.amount + ",\"currency\":\"" +
                           c.currency + "\"" + c.refund + "}" + c.payload + "}}";
  absl::StatusOr<ParsedWebhook> webhook = ParseWebhook(body, {absl::FromUnixSeconds(1709187682), ""});
  EXPECT_TRUE(webhook.ok()) << webhook.status() << "\n" << body;
  return webhook.ok() ? *std::move(webhook) : ParsedWebhook{};
}

// `path json` of each.
template <typename Message>
std::vector<std::string> Extras(const Message& message) {
  std::vector<std::string> extras;
  for (const ExtraField& extra : message.extra_fields()) extras.push_back(extra.path() + " " + extra.json());
  return extras;
}

TEST(FieldsTest, AbsentStaysAbsent) {
  const ParsedWebhook webhook = Parse({});
  const RefundEvent& event = webhook.event;
  EXPECT_FALSE(event.has_user());
  EXPECT_FALSE(event.has_client_info());
  EXPECT_FALSE(event.has_occurred_at());
  EXPECT_FALSE(event.has_user_id());
  EXPECT_FALSE(event.has_entity());
  EXPECT_FALSE(event.refund().has_cancel_access());
  EXPECT_FALSE(event.refund().has_updated_at());
  EXPECT_THAT(Extras(event), IsEmpty());
  EXPECT_THAT(webhook.drift, IsEmpty());
}

TEST(FieldsTest, EmptyObjectsAndStringsArePresent) {
  const ParsedWebhook webhook = Parse(
      {.root = R"(,"client_info":{},"user_id":"")", .payload = R"(,"user":{"address":{},"location":{},"email":""})"});
  EXPECT_TRUE(webhook.event.has_client_info());
  EXPECT_TRUE(webhook.event.has_user_id());
  EXPECT_TRUE(webhook.event.user().has_address());
  EXPECT_TRUE(webhook.event.user().has_location());
  EXPECT_TRUE(webhook.event.user().has_email());
  EXPECT_FALSE(webhook.event.user().address().has_city());
  EXPECT_THAT(webhook.drift, IsEmpty());
}

TEST(FieldsTest, AmountKeepsItsSpelling) {
  const auto money = [](const std::string& amount) { return Parse({.amount = amount}).event; };
  EXPECT_EQ(money("289.5").refund().amount().units(), 289);
  EXPECT_EQ(money("289.5").refund().amount().nanos(), 500000000);
  EXPECT_THAT(Extras(money("289.5")), IsEmpty());
  EXPECT_EQ(money("1.10").refund().amount().nanos(), 100000000);
  EXPECT_THAT(Extras(money("1.10")), ElementsAre("/payload/refund/amount 1.10"));
  EXPECT_EQ(money("12e2").refund().amount().units(), 1200);
  EXPECT_THAT(Extras(money("12e2")), ElementsAre("/payload/refund/amount 12e2"));
  EXPECT_THAT(Parse({.amount = "1.10"}).drift, IsEmpty());
}

TEST(FieldsTest, MinusZeroIsZeroSpelledOtherwise) {
  const ParsedWebhook webhook = Parse({.amount = "-0"});
  EXPECT_EQ(webhook.event.refund().amount().units(), 0);
  EXPECT_EQ(webhook.event.refund().amount().nanos(), 0);
  EXPECT_THAT(Extras(webhook.event), ElementsAre("/payload/refund/amount -0"));
}

TEST(FieldsTest, CurrencyIsUpperCase) {
  const ParsedWebhook webhook = Parse({.currency = "iNr"});
  EXPECT_EQ(webhook.event.refund().amount().currency_code(), "INR");
  EXPECT_THAT(Extras(webhook.event), ElementsAre("/payload/refund/currency \"iNr\""));
  EXPECT_THAT(webhook.drift, IsEmpty());
}

TEST(FieldsTest, TimesOfAnotherFormAreSetAndKept) {
  const ParsedWebhook webhook =
      Parse({.refund = R"(,"createdAt":"2024-02-29T11:50:50+05:30","updatedAt":"yesterday")"});
  EXPECT_EQ(webhook.event.refund().created_at().seconds(), 1709187650);
  EXPECT_FALSE(webhook.event.refund().has_updated_at());
  EXPECT_THAT(Extras(webhook.event), UnorderedElementsAre("/payload/refund/createdAt \"2024-02-29T11:50:50+05:30\"",
                                                          "/payload/refund/updatedAt \"yesterday\""));
  EXPECT_THAT(webhook.drift, ElementsAre("payload.refund.updatedAt"));
}

TEST(FieldsTest, CreatedAtOutsideItsYearsIsDrift) {
  for (const char* odd : {"0", "-1", "946684799", "4133980800", "1709187681000", "1709187681.5", "\"1709187681\"",
                          "null", "[]", "1e300"}) {
    const ParsedWebhook webhook = Parse({.root = std::string(",\"created_at\":") + odd});
    EXPECT_FALSE(webhook.event.has_occurred_at()) << odd;
    EXPECT_THAT(Extras(webhook.event), ElementsAre(std::string("/created_at ") + odd));
    EXPECT_THAT(webhook.drift, ElementsAre("created_at")) << odd;
  }
  for (const char* good : {"946684800", "4133980799"}) {
    const ParsedWebhook webhook = Parse({.root = std::string(",\"created_at\":") + good});
    EXPECT_EQ(std::to_string(webhook.event.occurred_at().seconds()), good);
    EXPECT_THAT(Extras(webhook.event), IsEmpty());
    EXPECT_THAT(webhook.drift, IsEmpty());
  }
  const ParsedWebhook spelled = Parse({.root = ",\"created_at\":1.709187681e9"});
  EXPECT_EQ(spelled.event.occurred_at().seconds(), 1709187681);
  EXPECT_THAT(Extras(spelled.event), ElementsAre("/created_at 1.709187681e9"));
}

TEST(FieldsTest, PostcodeMayBeANumber) {
  const ParsedWebhook webhook = Parse({.payload = R"(,"user":{"location":{"postcode":110001}})"});
  EXPECT_EQ(webhook.event.user().location().postcode(), "110001");
  EXPECT_THAT(Extras(webhook.event.user()), ElementsAre("/payload/user/location/postcode 110001"));
  EXPECT_THAT(Extras(webhook.event), IsEmpty());
  EXPECT_THAT(webhook.drift, IsEmpty());
}

TEST(FieldsTest, CoordinatesMayBeIntegers) {
  const ParsedWebhook webhook = Parse({.payload = R"(,"user":{"location":{"latitude":28,"longitude":77.0}})"});
  EXPECT_EQ(webhook.event.user().location().latitude(), 28);
  EXPECT_EQ(webhook.event.user().location().longitude(), 77);
  EXPECT_THAT(Extras(webhook.event.user()), ElementsAre("/payload/user/location/longitude 77.0"));
}

TEST(FieldsTest, MistypedMembersDriftByTheirName) {
  const ParsedWebhook webhook =
      Parse({.root = R"(,"entity":5,"contains":[],"client_info":[1, 2])",
             .refund = R"(,"cancelAccess":"yes","clientId":null)",
             .payload = R"(,"user":{"phoneNumber":9598598585,"address":"x","location":{"latitude":"28"}})"});
  EXPECT_THAT(Extras(webhook.event),
              UnorderedElementsAre("/entity 5", "/contains []", "/client_info [1, 2]",
                                   "/payload/refund/cancelAccess \"yes\"", "/payload/refund/clientId null"));
  EXPECT_THAT(Extras(webhook.event.user()),
              UnorderedElementsAre("/payload/user/phoneNumber 9598598585", "/payload/user/address \"x\"",
                                   "/payload/user/location/latitude \"28\""));
  EXPECT_THAT(webhook.drift, UnorderedElementsAre("entity", "client_info", "contains", "payload.refund.cancelAccess",
                                                  "payload.refund.clientId", "payload.user.phoneNumber",
                                                  "payload.user.address", "payload.user.location.latitude"));
  EXPECT_FALSE(webhook.event.has_client_info());
  EXPECT_FALSE(webhook.event.refund().has_client_id());
}

TEST(FieldsTest, AUserThatIsNoObjectStaysInTheRoot) {
  const ParsedWebhook webhook = Parse({.payload = R"(,"user":"9598598585")"});
  EXPECT_FALSE(webhook.event.has_user());
  EXPECT_THAT(Extras(webhook.event), ElementsAre("/payload/user \"9598598585\""));
}

TEST(FieldsTest, ContainsOfMoreThanStringsIsKeptWhole) {
  const ParsedWebhook webhook = Parse({.root = R"(,"contains":["refund", 5, ["user"]])"});
  EXPECT_THAT(webhook.event.contains(), IsEmpty());
  EXPECT_THAT(Extras(webhook.event), ElementsAre("/contains [\"refund\", 5, [\"user\"]]"));
  EXPECT_THAT(Parse({.root = R"(,"contains":{"a":"b"})"}).event.contains(), IsEmpty());
  EXPECT_THAT(Parse({.root = R"(,"contains":[["a"],"b"])"}).event.contains(), IsEmpty());
  EXPECT_THAT(Parse({.root = R"(,"contains":["b",{"a":"c"}])"}).event.contains(), IsEmpty());
}

TEST(FieldsTest, UnknownMembersAtEveryLevel) {
  const ParsedWebhook webhook =
      Parse({.root = ",\"a/b\":{ \"x\" : [1e2] },\"\":0,\"client_info\":{\"~\":1}",
             .refund = ",\"notes\":\"\\u0041\"",
             .payload = ",\"payment\":null,\"user\":{\"age\":5,\"address\":{\"\\u20b9\":1},\"location\":{\"~1\":2}}"});
  EXPECT_THAT(Extras(webhook.event),
              UnorderedElementsAre("/a~1b { \"x\" : [1e2] }", "/ 0", "/payload/refund/notes \"\\u0041\"",
                                   "/payload/payment null"));
  EXPECT_THAT(Extras(webhook.event.user()),
              UnorderedElementsAre("/payload/user/age 5", "/payload/user/address/\xE2\x82\xB9 1",
                                   "/payload/user/location/~01 2"));
  EXPECT_THAT(Extras(webhook.event.client_info()), ElementsAre("/client_info/~0 1"));
  EXPECT_EQ(webhook.drift, std::vector<std::string>(8, "other"));
}

TEST(FieldsTest, AnUnknownEventNameIsAcceptedAndDrifts) {
  const ParsedWebhook webhook = Parse({.event = "refunded.bundle"});
  EXPECT_EQ(webhook.event.type(), refundrelay::v1::REFUND_EVENT_TYPE_UNSPECIFIED);
  EXPECT_EQ(webhook.event.event_name(), "refunded.bundle");
  EXPECT_THAT(webhook.drift, ElementsAre("event"));
}

}  // namespace
}  // namespace refund_relay
