// What is refused, with which code and which words, and what is just within the limits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/translate/webhook_parser.h"
#include "tests/testing/testdata.h"

namespace refund_relay {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::StatusCode kNotJson = absl::StatusCode::kInvalidArgument;
constexpr absl::StatusCode kNotARefundEvent = absl::StatusCode::kFailedPrecondition;

const WebhookContext kContext = {absl::FromUnixSeconds(1709187682), ""};

absl::Status Parse(const std::string& body) { return ParseWebhook(body, kContext).status(); }

std::string Text(const absl::Status& status) { return std::string(status.message()); }

// A webhook of the required members and `more` (members of the root, each with its comma before it).
std::string Webhook(const std::string& more = "", const std::string& amount = "1") {
  return R"({"event":"refunded.pass","payload":{"refund":{"_id":"r1","amount":)" + amount + R"(,"currency":"INR"}})" +
         more + "}";
}

struct Refusal {
  std::string body;
  std::string message;
};

TEST(RefusalsTest, RequiredMembersAloneAreEnough) { EXPECT_EQ(Parse(Webhook()), absl::OkStatus()); }

TEST(RefusalsTest, NotJson) {
  const std::string nul(1, '\0');
  const std::vector<Refusal> refusals = {
      {"", "byte 0: a JSON value is expected"},
      {"  ", "byte 2: a JSON value is expected"},
      {nul, "byte 0: a raw NUL"},
      {Webhook() + nul, "a raw NUL"},
      {Webhook() + nul + "x", "a raw NUL"},
      {Webhook(",\"a\":\"" + nul + "\""), "a raw NUL"},
      {"\xEF\xBB\xBF" + Webhook(), "byte 0: UTF-8 without a byte-order mark"},
      {Webhook() + "x", "nothing but white space may follow"},
      {Webhook() + "{}", "nothing but white space may follow"},
      {Webhook() + "\xEF\xBB\xBF", "nothing but white space may follow"},
      {"{\"a\":1", "a comma or a closing brace"},
      {"{\"a\"", "a colon is expected"},
      {"{\"a\":", "a JSON value is expected"},
      {"{", "a member name"},
      {"{\"a\":1,}", "byte 7: a member name"},
      {"{a:1}", "byte 1: a member name"},
      {"{'a':1}", "byte 1: a member name"},
      {"[1,2", "a comma or a closing bracket"},
      {"[1,]", "byte 3: a JSON value"},
      {"[1}", "a comma or a closing bracket"},
      {"// c\n" + Webhook(), "byte 0: a JSON value"},
      {"[NaN]", "byte 1: a JSON value"},
      {"[Infinity]", "a JSON value"},
      {"[-Infinity]", "a JSON value"},
      {"[True]", "a JSON value"},
      {"[nul]", "a JSON value"},
      {"[01]", "byte 1: a legal number"},
      {"[1-2]", "byte 1: a legal number"},
      {"[1.5.5]", "byte 1: a legal number"},
      {"92922809898753912109302922810e-00.81e022810e-00.81e07", "byte 0: a legal number"},
      {"[+1]", "a JSON value"},
      {"[.5]", "a JSON value"},
      {"[1.]", "a legal number"},
      {"[1e]", "a legal number"},
      {"[1e+]", "a legal number"},
      {"[-]", "a JSON value"},
      {"[0x10]", "a comma or a closing bracket"},
      {"[\"a", "the closing quote"},
      {"[\"a\\", "a legal escape"},
      {"[\"a\tb\"]", "byte 3: a legal escape"},
      {"[\"\\x41\"]", "byte 2: a legal escape"},
      {"[\"\\u12G4\"]", "byte 2: four hex digits"},
      {"[\"\\ud800\"]", "byte 2: a surrogate"},
      {"[\"\\ud800x\"]", "byte 2: a surrogate"},
      {"[\"\\ud800\\u0041\"]", "byte 2: a surrogate"},
      {"[\"\\udc00\"]", "byte 1: a string without lone surrogates"},
      {"[\"abc\\uDFFFdef\"]", "byte 1: a string without lone surrogates"},
      {"{\"\\udc00\":1}", "byte 1: a string without lone surrogates"},
      {"[\"\\ud83d\\udcb8\\udcb8\"]", "lone surrogates"},
      {"[\"\xED\xA0\x80\"]", "byte 2: valid UTF-8"},
      {"[\"\xED\xBF\xBF\"]", "byte 2: valid UTF-8"},
      {"{\"\xED\xA0\x80\":1}", "byte 2: valid UTF-8"},
      {"[\"\xFF\"]", "byte 2: valid UTF-8"},
      {"[\"\xC0\x80\"]", "byte 2: valid UTF-8"},
      {"[\"\xC1\xBF\"]", "valid UTF-8"},
      {"[\"\xE0\x80\x80\"]", "valid UTF-8"},
      {"[\"\xF0\x80\x80\x80\"]", "valid UTF-8"},
      {"[\"\xF4\x90\x80\x80\"]", "valid UTF-8"},
      {"[\"\xF5\x80\x80\x80\"]", "valid UTF-8"},
      {"[\"\xC3\"]", "valid UTF-8"},
      {"[\"\xC3", "valid UTF-8"},
      {"[\"\x80\"]", "valid UTF-8"},
      {"\xFF", "byte 0: a JSON value"},
      {"{\"a\":1,\"a\":1}", "byte 7: a name that the object does not have yet"},
      {"{\"a\":1,\"\\u0061\":2}", "byte 7: a name that the object does not have yet"},
      {"{\"\":1,\"\":2}", "a name that the object does not have yet"},
      {"[{\"x\":[{\"a/b\":1,\"a\\/b\":2}]}]", "a name that the object does not have yet"},
      {Webhook(",\"event\":\"refunded.pass\""), "a name that the object does not have yet"},
      {Webhook(",\"x\":{\"k\":{\"a\":1},\"k\":2}"), "a name that the object does not have yet"},
      // A number beyond a double's range does not hide that the rest is not JSON.
      {"[1e400", "a comma or a closing bracket"},
      {"[1e400,1e400x]", "a"},
      {"[1e400,{\"a\":1,\"a\":2}]", "a name that the object does not have yet"},
      {"[1e400e]", "a legal number"},
      {"[1e400,\"\\udc00\"]", "lone surrogates"},
  };
  for (const Refusal& refusal : refusals) {
    const absl::Status status = Parse(refusal.body);
    EXPECT_EQ(status.code(), kNotJson) << status << "\n" << refusal.body;
    EXPECT_THAT(Text(status), HasSubstr(refusal.message)) << refusal.body;
    EXPECT_THAT(Text(status), HasSubstr("byte ")) << refusal.body;
  }
}

// Found by the fuzzer: RapidJSON read and wrote past the end of these (seen by AddressSanitizer).
TEST(RefusalsTest, TextsThatBreakOffInsideACharacter) {
  for (const std::string lead : {"\xC3", "\xE5", "\xE5\x9B", "\xF0", "\xF0\x9F", "\xF0\x9F\x92"}) {
    for (size_t size = 0; size < 80; ++size) {
      for (const std::string& before :
           {"[\"" + std::string(size, 'a'), "{\"" + std::string(size, 'a'), "[1e400,\"" + std::string(size, 'a')}) {
        const absl::Status status = Parse(before + lead);
        EXPECT_EQ(status.code(), kNotJson) << status;
        EXPECT_THAT(Text(status), HasSubstr("byte " + std::to_string(before.size()) + ": valid UTF-8"));
      }
    }
  }
}

TEST(RefusalsTest, DuplicateNamesAreFoundAmongMany) {
  std::string members;
  for (int i = 0; i < 5000; ++i) members += ",\"m" + std::to_string(i) + "\":1";
  EXPECT_EQ(Parse(Webhook(members)), absl::OkStatus());
  for (const int again : {0, 20, 24, 25, 4999}) {
    const absl::Status status = Parse(Webhook(members + ",\"\\u006d" + std::to_string(again) + "\":2"));
    EXPECT_EQ(status.code(), kNotJson) << again;
    EXPECT_THAT(Text(status), HasSubstr("a name that the object does not have yet")) << again;
  }
}

TEST(RefusalsTest, TheSameNameInOtherObjectsIsNoDuplicate) {
  EXPECT_EQ(Parse(Webhook(R"(,"a":{"a":{"a":1},"b":{"a":1}},"b":[{"a":1},{"a":1}])")), absl::OkStatus());
}

TEST(RefusalsTest, NestingIsBounded) {
  // The webhook is level 1, so 63 more are legal.
  for (const bool array : {true, false}) {
    const auto nested = [array](int levels) {
      const std::string open = array ? "[" : "{\"a\":";
      const std::string close = array ? "]" : "}";
      std::string json;
      for (int i = 0; i < levels; ++i) json += open;
      json += "1";
      for (int i = 0; i < levels; ++i) json += close;
      return Webhook(",\"x\":" + json);
    };
    EXPECT_EQ(Parse(nested(63)), absl::OkStatus());
    for (const int levels : {64, 65, 60000}) {
      const absl::Status status = Parse(nested(levels));
      EXPECT_EQ(status.code(), kNotJson) << levels;
      EXPECT_THAT(Text(status), HasSubstr("nesting of at most 64 levels")) << levels;
    }
  }
  EXPECT_EQ(Parse(std::string(60000, '[')).code(), kNotJson);
  EXPECT_EQ(Parse(std::string(60000, '{')).code(), kNotJson);
}

TEST(RefusalsTest, NumbersBeyondADouble) {
  const std::vector<std::string> beyond = {"1e400",
                                           "-1e400",
                                           "1e309",
                                           "1.8e308",
                                           "1.7976931348623159e308",
                                           "99999e308",
                                           "1e999999999999999999999999999",
                                           "0.00001e314",
                                           std::string(310, '1'),
                                           std::string(60000, '9'),
                                           "-" + std::string(310, '9') + ".5"};
  for (const std::string& number : beyond) {
    for (const std::string& body : {Webhook(",\"x\":" + number), Webhook(",\"x\":[{\"y\":" + number + "}]"),
                                    Webhook("", number), Webhook(",\"created_at\":" + number), number}) {
      const absl::Status status = Parse(body);
      EXPECT_EQ(status.code(), kNotARefundEvent) << status << "\n" << body;
      EXPECT_THAT(Text(status), HasSubstr("a number in the range of a double is expected")) << body;
      EXPECT_THAT(Text(status), HasSubstr("byte ")) << body;
    }
  }
}

TEST(RefusalsTest, NumbersWithinADouble) {
  const std::vector<std::string> within = {"1e308",
                                           "1.7976931348623157e308",
                                           "-1.7976931348623157e+308",
                                           "0e999999999999999999999",
                                           "-0.000e400",
                                           "1e-400",
                                           "1e-999999999999999999999999",
                                           "0." + std::string(400, '0') + "1e401",
                                           std::string(308, '1'),
                                           std::string(309, '1'),
                                           std::string(400, '1') + "e-100",
                                           "0." + std::string(50000, '7')};
  for (const std::string& number : within) {
    EXPECT_EQ(Parse(Webhook(",\"x\":" + number)), absl::OkStatus()) << number;
  }
}

TEST(RefusalsTest, ManyNumbersBeyondADoubleAreReadInOneMorePass) {
  std::string numbers = "1e400";
  for (int i = 0; i < 10000; ++i) numbers += ",1e400";
  EXPECT_EQ(Parse(Webhook(",\"x\":[" + numbers + "]")).code(), kNotARefundEvent);
}

TEST(RefusalsTest, NotARefundEvent) {
  const auto refund = [](const std::string& members) {
    return R"({"event":"refunded.pass","payload":{"refund":{)" + members + "}}}";
  };
  const auto event = [](const std::string& json) {
    return "{\"event\":" + json + R"(,"payload":{"refund":{"_id":"r","amount":1,"currency":"INR"}}})";
  };
  const auto id = [&refund](const std::string& json) {
    return refund("\"_id\":" + json + R"(,"amount":1,"currency":"INR")");
  };
  const auto currency = [&refund](const std::string& json) {
    return refund(R"("_id":"r","amount":1,"currency":)" + json);
  };
  const std::string bytes_128(128, 'a');
  const std::vector<Refusal> refusals = {
      {"[]", "the webhook: a JSON object is expected"},
      {"1", "the webhook: a JSON object is expected"},
      {"null", "the webhook: a JSON object is expected"},
      {"\"refunded.pass\"", "the webhook: a JSON object is expected"},
      {"[" + Webhook() + "]", "the webhook: a JSON object is expected"},
      {"{}", "/event: a string"},
      {event("null"), "/event: a string"},
      {event("1"), "/event: a string"},
      {event("\"\""), "/event: a string"},
      {event("\"refunded\""), "/event: a string"},
      {event("\"Refunded.pass\""), "/event: a string"},
      {event("\" refunded.pass\""), "/event: a string"},
      {event("\"payment.captured\""), "/event: a string"},
      {event("[\"refunded.pass\"]"), "/event: a string"},
      {event("\"refunded." + bytes_128 + "\""), "/event: a string of at most 128 bytes"},
      {R"({"event":"refunded.pass"})", "/payload: an object"},
      {R"({"event":"refunded.pass","payload":null})", "/payload: an object"},
      {R"({"event":"refunded.pass","payload":[{"refund":{}}]})", "/payload: an object"},
      {R"({"event":"refunded.pass","payload":{}})", "/payload/refund: an object"},
      {R"({"event":"refunded.pass","payload":{"refund":"r"}})", "/payload/refund: an object"},
      {refund(""), "/payload/refund/_id: a string of 1 to 128 bytes"},
      {id("\"\""), "/payload/refund/_id: a string of 1 to 128 bytes"},
      {id("5"), "/payload/refund/_id: a string of 1 to 128 bytes"},
      {id("null"), "/payload/refund/_id: a string of 1 to 128 bytes"},
      {id("{}"), "/payload/refund/_id: a string of 1 to 128 bytes"},
      {id("\"" + bytes_128 + "a\""), "/payload/refund/_id: a string of 1 to 128 bytes"},
      {refund(R"("_id":"r","currency":"INR")"), "/payload/refund/amount: a number"},
      {Webhook("", "null"), "/payload/refund/amount: a number"},
      {Webhook("", "\"1\""), "/payload/refund/amount: a number"},
      {Webhook("", "[1]"), "/payload/refund/amount: a number"},
      {Webhook("", "{}"), "/payload/refund/amount: a number"},
      {Webhook("", "true"), "/payload/refund/amount: a number"},
      {Webhook("", "-1"), "/payload/refund/amount: an amount that is not negative"},
      {Webhook("", "-1e-400"), "/payload/refund/amount: an amount that is not negative"},
      {Webhook("", "1e-10"), "/payload/refund/amount: an amount of at most nine decimal places"},
      {Webhook("", "1.0000000001"), "/payload/refund/amount: an amount of at most nine decimal places"},
      {Webhook("", "1e-400"), "/payload/refund/amount: an amount of at most nine decimal places"},
      {Webhook("", "1e-999999999999999999"), "/payload/refund/amount: an amount of at most nine decimal places"},
      {Webhook("", "9223372036854775808"), "/payload/refund/amount: an amount below 9223372036854775808"},
      {Webhook("", "9223372036854775808.5"), "/payload/refund/amount: an amount below 9223372036854775808"},
      {Webhook("", "1e19"), "/payload/refund/amount: an amount below 9223372036854775808"},
      {Webhook("", "1e308"), "/payload/refund/amount: an amount below 9223372036854775808"},
      {refund(R"("_id":"r","amount":1)"), "/payload/refund/currency: a string of three letters"},
      {currency("null"), "/payload/refund/currency: a string of three letters"},
      {currency("\"\""), "/payload/refund/currency: a string of three letters"},
      {currency("\"IN\""), "/payload/refund/currency: a string of three letters"},
      {currency("\"INRR\""), "/payload/refund/currency: a string of three letters"},
      {currency("\"IN1\""), "/payload/refund/currency: a string of three letters"},
      {currency("\"\\u20b9\""), "/payload/refund/currency: a string of three letters"},
      {currency("356"), "/payload/refund/currency: a string of three letters"},
  };
  for (const Refusal& refusal : refusals) {
    const absl::Status status = Parse(refusal.body);
    EXPECT_EQ(status.code(), kNotARefundEvent) << status << "\n" << refusal.body;
    EXPECT_THAT(Text(status), HasSubstr(refusal.message)) << refusal.body;
    EXPECT_THAT(Text(status), HasSubstr("is expected")) << refusal.body;
  }
  EXPECT_EQ(Parse(id("\"" + bytes_128 + "\"")), absl::OkStatus());
  EXPECT_EQ(Parse(event("\"refunded." + bytes_128.substr(9) + "\"")), absl::OkStatus());
}

TEST(RefusalsTest, MessagesQuoteNothingFromTheBody) {
  const std::string secret = "s3cret";
  for (const std::string& body : {
           Webhook(",\"" + secret + "\":{\"a\":1,\"a\":2}"),
           Webhook(",\"" + secret + "\":1e400"),
           Webhook(",\"a\":\"" + secret + "\\x\""),
           Webhook(",\"a\":" + secret),
           Webhook("", "\"" + secret + "\""),
           R"({"event":")" + secret + "\"}",
           R"({"event":"refunded.pass","payload":{"refund":{"_id":"r","amount":1,"currency":")" + secret + "\"}}}",
       }) {
    const absl::Status status = Parse(body);
    EXPECT_FALSE(status.ok()) << body;
    EXPECT_THAT(Text(status), Not(HasSubstr(secret)));
  }
}

TEST(RefusalsTest, EveryPrefixOfASampleIsRefusedAsNotJson) {
  const std::string sample = testing::ReadTestdata("refunded.subscription.json");
  const size_t end = sample.rfind('}');
  for (size_t size = 0; size <= end; ++size) {
    EXPECT_EQ(Parse(sample.substr(0, size)).code(), kNotJson) << size;
  }
}

}  // namespace
}  // namespace refund_relay
