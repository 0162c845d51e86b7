// Numbers, amounts and times as text.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "server/translate/json_number.h"
#include "server/translate/json_pointer.h"
#include "server/translate/money.h"
#include "server/translate/timestamps.h"

namespace refund_relay {
namespace {

using google::protobuf::Timestamp;
using refundrelay::v1::Money;

TEST(JsonNumberTest, Grammar) {
  for (const char* legal : {"0", "-0", "10", "1.0", "0.5", "1e5", "1E+5", "1e-05", "-1.25E10"}) {
    EXPECT_TRUE(IsJsonNumber(legal)) << legal;
  }
  for (const char* not_legal : {"", "-", "01", "+1", ".5", "1.", "1e", "1e+", "1x", "--1", "1e5.5", "0x1", "1 "}) {
    EXPECT_FALSE(IsJsonNumber(not_legal)) << not_legal;
  }
}

TEST(JsonNumberTest, IntegersHoweverSpelled) {
  EXPECT_EQ(ParseInt64("0"), 0);
  EXPECT_EQ(ParseInt64("-0.0e99"), 0);
  EXPECT_EQ(ParseInt64("1e3"), 1000);
  EXPECT_EQ(ParseInt64("-12.50e1"), -125);
  EXPECT_EQ(ParseInt64("9223372036854775807.0"), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(ParseInt64("-9223372036854775808"), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(ParseInt64("1.5"), std::nullopt);
  EXPECT_EQ(ParseInt64("9223372036854775808"), std::nullopt);
  EXPECT_EQ(ParseInt64("1e19"), std::nullopt);
  EXPECT_EQ(ParseInt64("1e999999999999999999"), std::nullopt);
  EXPECT_EQ(ParseInt64("1e-999999999999999999"), std::nullopt);
}

TEST(JsonNumberTest, DoublesComeBackShortest) {
  EXPECT_EQ(DoubleText(28.5246), "28.5246");
  EXPECT_EQ(DoubleText(28), "28");
  EXPECT_EQ(DoubleText(-0.0), "-0");
  EXPECT_EQ(NearestDouble("1e-400"), 0);
  EXPECT_TRUE(std::signbit(NearestDouble("-1e-400")));
  EXPECT_EQ(NearestDouble("5e-324"), std::numeric_limits<double>::denorm_min());
  EXPECT_EQ(NearestDouble("1.7976931348623157e308"), std::numeric_limits<double>::max());
}

TEST(MoneyTest, ExactUnitsAndNanos) {
  const struct {
    const char* number;
    int64_t units;
    int32_t nanos;
    const char* text;
  } kCases[] = {{"0", 0, 0, "0"},
                {"1", 1, 0, "1"},
                {"100", 100, 0, "100"},
                {"289.5", 289, 500000000, "289.5"},
                {"0.000000001", 0, 1, "0.000000001"},
                {"1e-9", 0, 1, "0.000000001"},
                {"0.1000000000000", 0, 100000000, "0.1"},
                {"10.01", 10, 10000000, "10.01"},
                {"1e18", 1000000000000000000, 0, "1000000000000000000"},
                {"123456789e-9", 0, 123456789, "0.123456789"},
                {"1234567890e-9", 1, 234567890, "1.23456789"},
                {"9223372036854775807.999999999", std::numeric_limits<int64_t>::max(), 999999999,
                 "9223372036854775807.999999999"},
                {"0e999999999", 0, 0, "0"}};
  for (const auto& c : kCases) {
    Money money;
    money.set_units(77);
    money.set_nanos(77);
    ASSERT_EQ(SetAmount(c.number, money), absl::OkStatus()) << c.number;
    EXPECT_EQ(money.units(), c.units) << c.number;
    EXPECT_EQ(money.nanos(), c.nanos) << c.number;
    EXPECT_EQ(AmountText(money), c.text);
  }
}

TEST(TimestampsTest, IsoTimesThatParse) {
  const struct {
    const char* text;
    int64_t seconds;
    int32_t nanos;
  } kCases[] = {{"2024-02-29T06:20:50.593Z", 1709187650, 593000000},
                {"2024-02-29T06:20:50Z", 1709187650, 0},
                {"2024-02-29t06:20:50z", 1709187650, 0},
                {"2024-02-29 06:20:50,5Z", 1709187650, 500000000},
                {"2024-02-29T11:50:50+05:30", 1709187650, 0},
                {"2024-02-29T11:50:50+0530", 1709187650, 0},
                {"2024-02-29T01:20:50-05", 1709187650, 0},
                {"2024-02-29T06:20Z", 1709187600, 0},
                {"2024-02-29T06:20:50.1234567899Z", 1709187650, 123456789},
                {"1969-12-31T23:59:59.999Z", -1, 999000000},
                {"0001-01-01T00:00:00Z", -62135596800, 0},
                {"9999-12-31T23:59:59Z", 253402300799, 0}};
  for (const auto& c : kCases) {
    const std::optional<Timestamp> time = ParseIsoTime(c.text);
    ASSERT_TRUE(time.has_value()) << c.text;
    EXPECT_EQ(time->seconds(), c.seconds) << c.text;
    EXPECT_EQ(time->nanos(), c.nanos) << c.text;
  }
}

TEST(TimestampsTest, WhatNamesNoInstant) {
  for (const char* text : {"",
                           "2024",
                           "2024-02-29",
                           "2024-02-29T06:20:50",
                           "2024-02-30T00:00:00Z",
                           "2023-02-29T00:00:00Z",
                           "2024-13-01T00:00:00Z",
                           "2024-00-01T00:00:00Z",
                           "2024-01-00T00:00:00Z",
                           "2024-01-01T24:00:00Z",
                           "2024-01-01T00:60:00Z",
                           "2016-12-31T23:59:60Z",
                           "2024-01-01T00:00:00.Z",
                           "2024-01-01T00:00:00Z ",
                           " 2024-01-01T00:00:00Z",
                           "2024-01-01T00:00:00+24:00",
                           "2024-01-01T00:00:00+05:",
                           "0000-12-31T00:00:00Z",
                           "0001-01-01T00:00:00+00:01",
                           "9999-12-31T23:59:59-00:01",
                           "-024-01-01T00:00:00Z",
                           "20240101T000000Z",
                           "2024-1-1T0:0:0Z",
                           "2024-01-01T00:00Zjunk",
                           "+2024-01-01T00:00:00Z"}) {
    EXPECT_FALSE(ParseIsoTime(text).has_value()) << text;
  }
}

TEST(TimestampsTest, TextIsInMilliseconds) {
  Timestamp time;
  time.set_seconds(1709187650);
  time.set_nanos(593999999);
  EXPECT_EQ(IsoTimeText(time), "2024-02-29T06:20:50.593Z");
  time.set_seconds(-62135596800);
  time.set_nanos(0);
  EXPECT_EQ(IsoTimeText(time), "0001-01-01T00:00:00.000Z");
  time.set_seconds(-62135596801);
  EXPECT_EQ(IsoTimeText(time), std::nullopt);
  time.set_seconds(253402300800);
  EXPECT_EQ(IsoTimeText(time), std::nullopt);
  time.set_seconds(0);
  time.set_nanos(-1);
  EXPECT_EQ(IsoTimeText(time), std::nullopt);
  time.set_nanos(1000000000);
  EXPECT_EQ(IsoTimeText(time), std::nullopt);
}

TEST(TimestampsTest, ToTimestampCutsDownwards) {
  EXPECT_EQ(ToTimestamp(absl::FromUnixMillis(1500)).nanos(), 500000000);
  EXPECT_EQ(ToTimestamp(absl::FromUnixMillis(-1)).seconds(), -1);
  EXPECT_EQ(ToTimestamp(absl::FromUnixMillis(-1)).nanos(), 999000000);
}

TEST(JsonPointerTest, StepsComeBack) {
  for (const char* name : {"", "a", "~", "/", "~1", "~0", "a/b~c", "//", "~~"}) {
    std::string path = "/payload";
    AppendPointerStep(path, name);
    const std::optional<PointerSplit> split = SplitPointer(path);
    ASSERT_TRUE(split.has_value()) << path;
    EXPECT_EQ(split->parent, "/payload") << path;
    EXPECT_EQ(split->name, name) << path;
  }
  for (const char* bad : {"", "a", "/~", "/a~2", "/~x"}) EXPECT_FALSE(SplitPointer(bad).has_value()) << bad;
}

}  // namespace
}  // namespace refund_relay
