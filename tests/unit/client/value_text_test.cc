// Money, times and strings as refundctl prints and reads them.
#include "client/refundctl/value_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/printable.h"
#include "client/refundctl/json_line.h"

namespace refund_relay {
namespace {

std::string Money(int64_t units, int32_t nanos) {
  refundrelay::v1::Money money;
  money.set_currency_code("INR");
  money.set_units(units);
  money.set_nanos(nanos);
  return FormatMoney(money);
}

TEST(ValueTextTest, MoneyIsPrintedExactly) {
  EXPECT_EQ(Money(1, 0), "1 INR");
  EXPECT_EQ(Money(0, 0), "0 INR");
  EXPECT_EQ(Money(289, 500'000'000), "289.5 INR");
  EXPECT_EQ(Money(100, 0), "100 INR");
  EXPECT_EQ(Money(0, 1), "0.000000001 INR");
  EXPECT_EQ(Money(0, 10'000'000), "0.01 INR");
  EXPECT_EQ(Money(INT64_MAX, 999'999'999), "9223372036854775807.999999999 INR");
  EXPECT_EQ(Money(-1, -500'000'000), "-1.5 INR");
  EXPECT_EQ(Money(0, -500'000'000), "-0.5 INR");
}

TEST(ValueTextTest, TimesAreUtc) {
  const auto time = ToTimestamp(absl::FromUnixNanos(1'709'187'681'144'000'001));
  EXPECT_EQ(FormatTimeMillis(time), "2024-02-29T06:21:21.144Z");
  EXPECT_EQ(FormatTimeExact(time), "2024-02-29T06:21:21.144000001Z");
  EXPECT_EQ(FormatTimeExact(ToTimestamp(absl::FromUnixSeconds(0))), "1970-01-01T00:00:00Z");
}

TEST(ValueTextTest, ATimeBefore1970HasPositiveNanos) {
  const auto time = ToTimestamp(absl::FromUnixMillis(-1));
  EXPECT_EQ(time.seconds(), -1);
  EXPECT_EQ(time.nanos(), 999'000'000);
}

TEST(ValueTextTest, ReadsTimesAndHowLongAgo) {
  const absl::Time now = absl::FromUnixSeconds(1'709'187'681);
  EXPECT_EQ(ParseTimeOrAgo("2h", now).value(), now - absl::Hours(2));
  EXPECT_EQ(ParseTimeOrAgo("1h30m", now).value(), now - absl::Minutes(90));
  EXPECT_EQ(ParseTimeOrAgo("2024-02-29T06:21:21Z", now).value(), now);
  EXPECT_EQ(ParseTimeOrAgo("2024-02-29T11:51:21.5+05:30", now).value(), now + absl::Milliseconds(500));
  for (const char* wrong :
       {"", "yesterday", "-2h", "2", "inf", "infinite-past", "2024-02-29", "2024-02-30T00:00:00Z"}) {
    EXPECT_EQ(ParseTimeOrAgo(wrong, now).status().code(), absl::StatusCode::kInvalidArgument) << wrong;
  }
}

TEST(ValueTextTest, ReadsDurations) {
  EXPECT_EQ(ParsePositiveDuration("10s").value(), absl::Seconds(10));
  EXPECT_EQ(ParsePositiveDuration("500ms").value(), absl::Milliseconds(500));
  EXPECT_EQ(ParsePositiveDuration("2.5").value(), absl::Milliseconds(2500));
  for (const char* wrong : {"", "0", "-1s", "soon", "inf", "nan", "1e300"}) {
    EXPECT_EQ(ParsePositiveDuration(wrong).status().code(), absl::StatusCode::kInvalidArgument) << wrong;
  }
}

TEST(ValueTextTest, ControlCharactersAreNotPrinted) {
  EXPECT_EQ(Printable("a\nb\x1b[2J\x7f\t"), "a\\x0ab\\x1b[2J\\x7f\\x09");
  EXPECT_EQ(Printable("\xC2\x9B"
                      "2J"),
            "\\x9b2J");
  EXPECT_EQ(Printable("न₹ é"), "न₹ é");
}

TEST(JsonLineTest, StringsAreAlwaysUtf8) {
  EXPECT_EQ(JsonString("₹\"\n"), "\"₹\\\"\\n\"");
  EXPECT_EQ(JsonString("a\xFF\xC2"), "\"a\uFFFD\uFFFD\"");
}

TEST(JsonLineTest, CompactJsonIsOneLineOrAString) {
  EXPECT_EQ(CompactJson("{\n \"a\": [1, 18446744073709551615],\n \"b\": \"\\n\"}"),
            R"({"a":[1,18446744073709551615],"b":"\n"})");
  EXPECT_EQ(CompactJson("<html>\n"), R"("<html>\n")");
  EXPECT_EQ(CompactJson(""), R"("")");
  EXPECT_EQ(CompactJson("{} {}"), R"("{} {}")");
  EXPECT_EQ(CompactJson(std::string(100'000, '[')).substr(0, 3), "\"[[");  // deep nesting is no stack
}

}  // namespace
}  // namespace refund_relay
