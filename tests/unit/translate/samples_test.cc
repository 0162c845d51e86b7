// The vendor's three samples come out with every field, and go back in.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/translate/sha256.h"
#include "server/translate/webhook_parser.h"
#include "server/translate/webhook_writer.h"
#include "tests/testing/json_equal.h"
#include "tests/testing/testdata.h"

namespace refund_relay {
namespace {

using refundrelay::v1::RefundEvent;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::JsonDifference;
using testing::kSamples;
using testing::ReadTestdata;

WebhookContext Context() {
  return {absl::FromUnixMillis(1709187682500), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"};
}

ParsedWebhook ParseSample(const std::string& name) {
  absl::StatusOr<ParsedWebhook> webhook = ParseWebhook(ReadTestdata(name), Context());
  EXPECT_TRUE(webhook.ok()) << webhook.status();
  return webhook.ok() ? *std::move(webhook) : ParsedWebhook{};
}

TEST(SamplesTest, PassHasEveryField) {
  const ParsedWebhook webhook = ParseSample("refunded.pass.json");
  const RefundEvent& event = webhook.event;
  EXPECT_THAT(webhook.drift, IsEmpty());
  EXPECT_EQ(event.event_id(), "65e02242d03692125f1f3593-4ad38e3cfdb0ae41");
  EXPECT_EQ(event.type(), refundrelay::v1::REFUND_EVENT_TYPE_PASS);
  EXPECT_EQ(event.event_name(), "refunded.pass");
  EXPECT_EQ(event.occurred_at().seconds(), 1709187681);
  EXPECT_EQ(event.occurred_at().nanos(), 0);
  EXPECT_EQ(event.received_at().seconds(), 1709187682);
  EXPECT_EQ(event.received_at().nanos(), 500000000);
  EXPECT_TRUE(event.has_user_id());
  EXPECT_EQ(event.user_id(), "65d44453cc6cfa43c284a19c");
  EXPECT_TRUE(event.has_entity());
  EXPECT_EQ(event.entity(), "event");
  EXPECT_THAT(event.contains(), ElementsAre("refund", "user"));
  EXPECT_THAT(event.extra_fields(), IsEmpty());
  EXPECT_EQ(event.traceparent(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  EXPECT_FALSE(event.has_first_received_at());

  const refundrelay::v1::Refund& refund = event.refund();
  EXPECT_EQ(refund.id(), "65e02242d03692125f1f3593");
  EXPECT_EQ(refund.payment_gateway_refund_id(), "rfnd_NgauHW7CMRO717");
  EXPECT_EQ(refund.amount().currency_code(), "INR");
  EXPECT_EQ(refund.amount().units(), 1);
  EXPECT_EQ(refund.amount().nanos(), 0);
  EXPECT_TRUE(refund.has_cancel_access());
  EXPECT_FALSE(refund.cancel_access());
  EXPECT_EQ(refund.user_id(), "65d44453cc6cfa43c284a19c");
  EXPECT_EQ(refund.client_id(), "65015ff10070846629fb981e");
  EXPECT_EQ(refund.transaction_id(), "65d44503cc6cfa43c284a1e6");
  EXPECT_EQ(refund.created_at().seconds(), 1709187650);
  EXPECT_EQ(refund.created_at().nanos(), 593000000);
  EXPECT_EQ(refund.updated_at().seconds(), 1709187681);
  EXPECT_EQ(refund.updated_at().nanos(), 144000000);

  const refundrelay::v1::User& user = event.user();
  EXPECT_EQ(user.phone_number(), "9598598585");
  EXPECT_FALSE(user.has_email());
  EXPECT_EQ(user.user_id(), "65d44453cc6cfa43c284a19c");
  EXPECT_EQ(user.country(), "IN");
  EXPECT_TRUE(user.has_name());
  EXPECT_EQ(user.name(), "");
  EXPECT_EQ(user.city(), "new delhi (pocket c)");
  EXPECT_EQ(user.username(), "9598598585");
  EXPECT_THAT(user.extra_fields(), IsEmpty());
  EXPECT_EQ(user.location().latitude(), 28.5246);
  EXPECT_EQ(user.location().longitude(), 77.2793);
  EXPECT_EQ(user.location().postcode(), "110001");
  const refundrelay::v1::Address& address = user.address();
  EXPECT_TRUE(address.has_apartment() && address.has_area() && address.has_pincode() && address.has_landmark() &&
              address.has_city() && address.has_state() && address.has_country());
  EXPECT_EQ(address.apartment() + address.area() + address.pincode() + address.landmark() + address.city() +
                address.state() + address.country(),
            "");

  EXPECT_EQ(event.client_info().user_agent(), "axios/0.21.1");
  EXPECT_EQ(event.client_info().country(), "India");
  EXPECT_EQ(event.client_info().country_code(), "IN");
  EXPECT_EQ(event.client_info().device_type(), "desktop");
  EXPECT_THAT(event.client_info().extra_fields(), IsEmpty());
}

TEST(SamplesTest, PayPerUse) {
  const ParsedWebhook webhook = ParseSample("refunded.pay_per_use.json");
  EXPECT_THAT(webhook.drift, IsEmpty());
  EXPECT_EQ(webhook.event.event_id(), "65e0220ed03692125f1f3592-9a388ce337ca367a");
  EXPECT_EQ(webhook.event.type(), refundrelay::v1::REFUND_EVENT_TYPE_PAY_PER_USE);
  EXPECT_EQ(webhook.event.refund().payment_gateway_refund_id(), "rfnd_NgatMWS157Nzyu");
  EXPECT_EQ(webhook.event.refund().transaction_id(), "65dde31b171dbd055b502de8");
  EXPECT_EQ(webhook.event.user().location().latitude(), 28.5223);
  EXPECT_THAT(webhook.event.contains(), ElementsAre("refund", "user"));
}

TEST(SamplesTest, Subscription) {
  const ParsedWebhook webhook = ParseSample("refunded.subscription.json");
  EXPECT_THAT(webhook.drift, IsEmpty());
  EXPECT_EQ(webhook.event.event_id(), "65e01fe8d03692125f1f356a-17a8f58cd815c44c");
  EXPECT_EQ(webhook.event.type(), refundrelay::v1::REFUND_EVENT_TYPE_SUBSCRIPTION);
  EXPECT_EQ(webhook.event.user().email(), "fvdzcxz@rsgfdcx.fvc");
  EXPECT_EQ(webhook.event.user().name(), "dfsxzc dvzxc");
  EXPECT_THAT(webhook.event.contains(), ElementsAre("user", "refund"));
}

TEST(SamplesTest, RenderBackToAnEqualValue) {
  for (const char* name : kSamples) {
    const absl::StatusOr<std::string> json = WriteWebhook(ParseSample(name).event);
    ASSERT_TRUE(json.ok()) << json.status();
    EXPECT_EQ(JsonDifference(*json, ReadTestdata(name)), "") << name;
  }
}

TEST(SamplesTest, Sha256IsOfTheRawBody) {
  const std::string body = ReadTestdata("refunded.pass.json");
  const Sha256Digest digest = Sha256({body});
  EXPECT_EQ(ParseSample("refunded.pass.json").event.webhook_sha256(), std::string(digest.begin(), digest.end()));
  EXPECT_EQ(LowerHex(Sha256({"ab", "", "c"})), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(SamplesTest, TheSameBodyGivesTheSameEvent) {
  for (const char* name : kSamples) {
    EXPECT_EQ(ParseSample(name).event.SerializeAsString(), ParseSample(name).event.SerializeAsString());
  }
}

}  // namespace
}  // namespace refund_relay
