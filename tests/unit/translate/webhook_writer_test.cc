// The writer alone: events that no webhook gives are refused, events without personal data give what is left.
#include "server/translate/webhook_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "server/translate/personal_data.h"
#include "server/translate/webhook_parser.h"
#include "tests/testing/json_equal.h"
#include "tests/testing/testdata.h"

namespace refund_relay {
namespace {

using refundrelay::v1::RefundEvent;
using ::testing::HasSubstr;
using testing::JsonDifference;

RefundEvent Event() {
  return ParseWebhook(testing::ReadTestdata("refunded.pass.json"), {absl::FromUnixSeconds(1709187682), ""})->event;
}

void Add(RefundEvent& event, const std::string& path, const std::string& json) {
  auto* const extra = event.add_extra_fields();
  extra->set_path(path);
  extra->set_json(json);
}

void ExpectRefused(const RefundEvent& event, const std::string& message) {
  const absl::StatusOr<std::string> json = WriteWebhook(event);
  EXPECT_EQ(json.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(json.status().message()), HasSubstr(message));
}

TEST(WebhookWriterTest, RefusesExtraFieldsThatNoWebhookGives) {
  for (const char* path : {"", "x", "/x/y", "/payload/refund/amount/x", "/a~2", "/payload//x", "/contains/0"}) {
    RefundEvent event = Event();
    Add(event, path, "1");
    ExpectRefused(event, "no JSON Pointer to a member of a known object");
  }
  for (const char* json : {"", "x", "1 2", "{\"a\":1,\"a\":2}", "1,\"b\":2", "1e400", "\"\\udc00\""}) {
    RefundEvent event = Event();
    Add(event, "/x", json);
    ExpectRefused(event, "a value is not JSON");
  }
  RefundEvent twice = Event();
  Add(twice, "/x", "1");
  Add(twice, "/x", "1");
  ExpectRefused(twice, "a path comes twice");
  RefundEvent homeless = Event();
  homeless.clear_user();
  Add(homeless, "/payload/user/x", "1");
  ExpectRefused(homeless, "leads through a member that is no object");
}

TEST(WebhookWriterTest, RefusesFieldsThatNoWebhookGives) {
  RefundEvent infinite = Event();
  infinite.mutable_user()->mutable_location()->set_latitude(std::numeric_limits<double>::infinity());
  ExpectRefused(infinite, "/payload/user/location/latitude");
  RefundEvent never = Event();
  never.mutable_refund()->mutable_updated_at()->set_nanos(-1);
  ExpectRefused(never, "/payload/refund/updatedAt");
  RefundEvent debt = Event();
  debt.mutable_refund()->mutable_amount()->set_units(-1);
  ExpectRefused(debt, "/payload/refund/amount");
}

TEST(WebhookWriterTest, WithoutPersonalDataGivesWhatIsLeft) {
  RefundEvent event;
  ASSERT_TRUE(event.ParseFromString(OmitPersonalData(Event().SerializeAsString())));
  const absl::StatusOr<std::string> json = WriteWebhook(event);
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(JsonDifference(*json, R"({"entity":"event","user_id":"65d44453cc6cfa43c284a19c","event":"refunded.pass",
    "contains":["refund","user"],"payload":{"refund":{"_id":"65e02242d03692125f1f3593",
    "paymentGatewayRefundId":"rfnd_NgauHW7CMRO717","amount":1,"currency":"INR","cancelAccess":false,
    "userId":"65d44453cc6cfa43c284a19c","clientId":"65015ff10070846629fb981e","createdAt":"2024-02-29T06:20:50.593Z",
    "transactionId":"65d44503cc6cfa43c284a1e6","updatedAt":"2024-02-29T06:21:21.144Z"}},"created_at":1709187681})"),
            "");
}

TEST(WebhookWriterTest, AnEmptyEventIsStillJson) {
  const absl::StatusOr<std::string> json = WriteWebhook(RefundEvent());
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(JsonDifference(*json, *json), "");
}

}  // namespace
}  // namespace refund_relay
