// Webhook equality: the same value in any spelling of JSON that does not count, and nothing else.
#include "server/translate/webhook_equality.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_replace.h"
#include "server/translate/canonical_json.h"
#include "server/translate/webhook_parser.h"
#include "server/translate/webhook_writer.h"
#include "tests/testing/webhook_generator.h"

namespace refund_relay {
namespace {

constexpr char kBody[] =
    R"({"event":"refunded.pass","created_at":1709187681,"extra":{"a":[1,2,{"x":"y"}],"b":1.10},)"
    R"("payload":{"refund":{"_id":"r1","amount":5,"currency":"INR","updatedAt":"2024-02-29T06:21:21.144Z"}}})";

refundrelay::v1::RefundEvent Stored(const std::string& body) {
  const auto parsed = ParseWebhook(body, {absl::UnixEpoch(), ""});
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? parsed->event : refundrelay::v1::RefundEvent();
}

bool IsSame(const std::string& body, const std::string& stored_body) {
  const auto same = IsSameWebhook(body, Stored(stored_body));
  EXPECT_TRUE(same.ok()) << same.status();
  return same.ok() && *same;
}

// `kBody` with one piece of it replaced.
std::string With(const std::string& old_text, const std::string& new_text) {
  const std::string changed = absl::StrReplaceAll(kBody, {{old_text, new_text}});
  EXPECT_NE(changed, kBody);
  return changed;
}

TEST(WebhookEqualityTest, TheSameBytesAreTheSame) { EXPECT_TRUE(IsSame(kBody, kBody)); }

TEST(WebhookEqualityTest, WhiteSpaceOrderOfMembersAndEscapesDoNotCount) {
  EXPECT_TRUE(IsSame(With("\"event\":", "\n \"event\" :\t"), kBody));
  EXPECT_TRUE(IsSame(With(R"("a":[1,2,{"x":"y"}],"b":1.10)", R"("b":1.10,"a":[1, 2, {"x":"\u0079"}])"), kBody));
  EXPECT_TRUE(IsSame(With(R"("_id":"r1","amount":5)", R"("amount":5,"_id":"r1")"), kBody));
}

TEST(WebhookEqualityTest, WhenItWasSentDoesNotCount) {
  EXPECT_TRUE(IsSame(With("1709187681", "1709187999"), kBody));
  EXPECT_TRUE(IsSame(With("\"created_at\":1709187681,", ""), kBody));
}

TEST(WebhookEqualityTest, AnythingElseCounts) {
  EXPECT_FALSE(IsSame(With("\"amount\":5", "\"amount\":6"), kBody));
  EXPECT_FALSE(IsSame(With("1.10", "1.1"), kBody)) << "the number's text";
  EXPECT_FALSE(IsSame(With("[1,2,", "[2,1,"), kBody)) << "the order of an array";
  EXPECT_FALSE(IsSame(With("\"y\"", "\"z\""), kBody));
  EXPECT_FALSE(IsSame(With("\"INR\"", "\"inr\""), kBody));
  EXPECT_FALSE(IsSame(With("\"extra\":", "\"extra2\":"), kBody));
  EXPECT_FALSE(IsSame(With("{\"x\":\"y\"}", "{\"x\":\"y\",\"created_at\":1}"), kBody)) << "only the outermost time";
}

TEST(WebhookEqualityTest, ANestedTimeOfThatNameCounts) {
  const std::string with_time = With("{\"x\":\"y\"}", "{\"created_at\":1}");
  EXPECT_FALSE(IsSame(absl::StrReplaceAll(with_time, {{"{\"created_at\":1}", "{\"created_at\":2}"}}), with_time));
}

TEST(WebhookEqualityTest, WhatAnEventIsRenderedToIsTheSame) {
  testing::WebhookGenerator generator(20260224);
  for (int i = 0; i < 500; ++i) {
    const std::string body = generator.Odd();
    const auto event = Stored(body);
    const auto rendered = WriteWebhook(event);
    ASSERT_TRUE(rendered.ok());
    auto other_bytes = event;
    other_bytes.set_webhook_sha256("not the hash, so that values are compared");
    const auto same = IsSameWebhook(*rendered, other_bytes);
    ASSERT_TRUE(same.ok()) << same.status();
    EXPECT_TRUE(*same) << body;
  }
}

TEST(CanonicalJsonTest, IsOneTextForOneValue) {
  const auto canonical =
      CanonicalJson("{ \"b\" : [ 1.0 , null, true,false , {} , [] ] , \"a\\u0041\" : \"\\u00e9\\n\" }", "");
  ASSERT_TRUE(canonical.ok());
  EXPECT_EQ(*canonical, "{\"aA\":\"\xC3\xA9\\u000a\",\"b\":[1.0,null,true,false,{},[]]}");
  EXPECT_EQ(CanonicalJson("7", "").value(), "7");
  EXPECT_EQ(CanonicalJson("[{\"t\":1}]", "t").value(), "[{\"t\":1}]");
  EXPECT_FALSE(CanonicalJson("{", "").ok());
}

}  // namespace
}  // namespace refund_relay
