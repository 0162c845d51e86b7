// Nothing is lost: what was accepted renders back to an equal value, whatever it was.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/translate/webhook_parser.h"
#include "server/translate/webhook_schema.h"
#include "server/translate/webhook_writer.h"
#include "tests/testing/json_equal.h"
#include "tests/testing/testdata.h"
#include "tests/testing/webhook_generator.h"

namespace refund_relay {
namespace {

using refundrelay::v1::ExtraField;
using refundrelay::v1::RefundEvent;
using ::testing::AnyOf;
using ::testing::Eq;
using testing::JsonDifference;
using testing::kSamples;
using testing::ReadTestdata;
using testing::WebhookGenerator;

const WebhookContext kContext = {absl::FromUnixSeconds(1709187682), ""};

// Extra fields of personal messages stay in these, so that a withheld right drops them.
void ExpectExtraFieldsAtHome(const RefundEvent& event) {
  for (const ExtraField& extra : event.extra_fields()) {
    EXPECT_NE(extra.path().rfind("/payload/user/", 0), 0u) << extra.path();
    EXPECT_NE(extra.path().rfind("/client_info/", 0), 0u) << extra.path();
  }
  for (const ExtraField& extra : event.user().extra_fields()) {
    EXPECT_EQ(extra.path().rfind("/payload/user/", 0), 0u) << extra.path();
  }
  for (const ExtraField& extra : event.client_info().extra_fields()) {
    EXPECT_EQ(extra.path().rfind("/client_info/", 0), 0u) << extra.path();
  }
}

// Renders the event that subscribers get (encoded and parsed back) and compares it with `body`.
void ExpectLossless(const std::string& body, const ParsedWebhook& webhook) {
  RefundEvent event;
  ASSERT_TRUE(event.ParseFromString(webhook.event.SerializeAsString())) << body;
  const absl::StatusOr<std::string> json = WriteWebhook(event);
  ASSERT_TRUE(json.ok()) << json.status() << "\n" << body;
  ASSERT_EQ(JsonDifference(*json, body), "") << body << "\n" << *json;
  ExpectExtraFieldsAtHome(event);
}

TEST(LosslessTest, OddButLegalWebhooks) {
  WebhookGenerator generator(20240229);
  for (int i = 0; i < 5000; ++i) {
    const std::string body = generator.Odd();
    const absl::StatusOr<ParsedWebhook> webhook = ParseWebhook(body, kContext);
    ASSERT_TRUE(webhook.ok()) << webhook.status() << "\n" << body;
    ASSERT_NO_FATAL_FAILURE(ExpectLossless(body, *webhook));
  }
}

TEST(LosslessTest, WildWebhooksAreLosslessOrRefused) {
  WebhookGenerator generator(7);
  int accepted = 0;
  int refused = 0;
  for (int i = 0; i < 5000; ++i) {
    const std::string body = generator.Wild();
    const absl::StatusOr<ParsedWebhook> webhook = ParseWebhook(body, kContext);
    if (webhook.ok()) {
      ++accepted;
      ASSERT_NO_FATAL_FAILURE(ExpectLossless(body, *webhook));
    } else {
      ++refused;
      ASSERT_EQ(webhook.status().code(), absl::StatusCode::kFailedPrecondition) << webhook.status() << "\n" << body;
    }
  }
  EXPECT_GT(accepted, 500);
  EXPECT_GT(refused, 500);
}

TEST(LosslessTest, PlainWebhooksNeedNoExtraFieldsAndDoNotDrift) {
  WebhookGenerator generator(1);
  for (int i = 0; i < 500; ++i) {
    const std::string body = generator.Plain();
    const absl::StatusOr<ParsedWebhook> webhook = ParseWebhook(body, kContext);
    ASSERT_TRUE(webhook.ok()) << webhook.status() << "\n" << body;
    ASSERT_NO_FATAL_FAILURE(ExpectLossless(body, *webhook));
    EXPECT_EQ(webhook->event.extra_fields_size() + webhook->event.user().extra_fields_size() +
                  webhook->event.client_info().extra_fields_size(),
              0);
    EXPECT_TRUE(webhook->drift.empty());
  }
}

TEST(LosslessTest, TheGeneratorIsDeterministic) {
  WebhookGenerator a(99);
  WebhookGenerator b(99);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.Wild(), b.Wild());
}

// The sample with the member at `path` (JSON Pointer) set to `json`. The sample is made of one line a member.
std::string SampleWith(const std::string& sample, const SchemaMember& member, const std::string& json) {
  RefundEvent event = ParseWebhook(sample, kContext)->event;
  ExtraField* const extra = event.add_extra_fields();
  *extra->mutable_path() = member.path;
  extra->set_json(json);
  // Members below one that is no object any more have no place; only its own text counts.
  const absl::StatusOr<std::string> body = WriteWebhook(event);
  EXPECT_TRUE(body.ok()) << body.status();
  return body.value_or("");
}

TEST(LosslessTest, EveryJsonTypeInPlaceOfEveryMember) {
  const std::vector<std::string> values = {"null",
                                           "true",
                                           "false",
                                           "0",
                                           "-0",
                                           "1.50",
                                           "1e3",
                                           "\"\"",
                                           "\"x\"",
                                           "[]",
                                           "[\"x\",1,{}]",
                                           "[[]]",
                                           "{}",
                                           "{\"x\":{\"y\":[null]}}",
                                           "[null]",
                                           "\"INR\"",
                                           "[\"\"]",
                                           "5e-324",
                                           "\"refunded.pass\""};
  int accepted = 0;
  for (const char* name : kSamples) {
    const std::string sample = ReadTestdata(name);
    for (const SchemaMember& member : Schema()) {
      if (member.member == Member::kRoot) continue;
      for (const std::string& value : values) {
        const std::string body = SampleWith(sample, member, value);
        ASSERT_NE(body.find(value), std::string::npos);
        const absl::StatusOr<ParsedWebhook> webhook = ParseWebhook(body, kContext);
        if (!webhook.ok()) {
          EXPECT_EQ(webhook.status().code(), absl::StatusCode::kFailedPrecondition) << webhook.status();
          EXPECT_THAT(member.path, AnyOf(Eq("/event"), Eq("/payload"), Eq("/payload/refund"), Eq("/payload/refund/_id"),
                                         Eq("/payload/refund/amount"), Eq("/payload/refund/currency")))
              << body;
          continue;
        }
        ++accepted;
        ASSERT_NO_FATAL_FAILURE(ExpectLossless(body, *webhook));
      }
    }
  }
  EXPECT_GT(accepted, 1500);
}

TEST(LosslessTest, TheOracleTellsDifferencesThatCount) {
  EXPECT_EQ(JsonDifference(R"({"a":1,"b":[1,2]})", " {\"b\" : [1 ,2],\n\"\\u0061\":1}"), "");
  for (const auto& [a, b] : std::vector<std::pair<std::string, std::string>>{{"1", "1.0"},
                                                                             {"1e2", "1E2"},
                                                                             {"0", "-0"},
                                                                             {"\"1\"", "1"},
                                                                             {"[1,2]", "[2,1]"},
                                                                             {"{}", "[]"},
                                                                             {"null", "false"},
                                                                             {"true", "false"},
                                                                             {R"({"a":1})", R"({"a":1,"b":1})"},
                                                                             {R"({"a":1})", R"({"b":1})"},
                                                                             {R"({"a":1,"a":1})", R"({"a":1})"},
                                                                             {"\"a\"", "\"A\""},
                                                                             {"\"\\u0000\"", "\"\""},
                                                                             {"1", "1 2"}}) {
    EXPECT_NE(JsonDifference(a, b), "") << a << " and " << b;
  }
}

}  // namespace
}  // namespace refund_relay
