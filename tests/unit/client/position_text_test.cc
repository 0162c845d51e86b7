// Positions as text and back.
#include "refund_relay/position_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "xxhash.h"

namespace refund_relay {
namespace {

refundrelay::v1::Position Position(const std::string& log_id, uint64_t sequence, uint64_t hash) {
  refundrelay::v1::Position position;
  position.set_log_id(log_id);
  position.set_sequence(sequence);
  position.set_event_hash(hash);
  return position;
}

TEST(PositionTextTest, WritesTheHashAsSixteenDigitsAndLeavesOutNone) {
  EXPECT_EQ(FormatPosition(Position("l-1", 7, 0xAB)), "l-1:7:00000000000000ab");
  EXPECT_EQ(FormatPosition(Position("l-1", 0, 0)), "l-1:0");
}

TEST(PositionTextTest, ReadsWhatItWrites) {
  for (const auto& position :
       {Position("log", 0, 0), Position("log", UINT64_MAX, UINT64_MAX), Position("x_y-z", 1, 1)}) {
    const auto parsed = ParsePosition(FormatPosition(position));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(parsed->SerializeAsString(), position.SerializeAsString());
  }
}

TEST(PositionTextTest, RefusesEverythingElseAndSaysWhat) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "two or three parts"},
      {"log", "two or three parts"},
      {"log:1:00000000000000ab:2", "two or three parts"},
      {":1", "log id is empty"},
      {"log:", "sequence"},
      {"log:-1", "sequence"},
      {"log:+1", "sequence"},
      {"log: 1", "sequence"},
      {"log:1x", "sequence"},
      {"log:18446744073709551616", "sequence"},
      {"log:1:", "hash"},
      {"log:1:ab", "hash"},
      {"log:1:000000000000000g", "hash"},
      {"log:1:-00000000000000a", "hash"},
  };
  for (const auto& [text, why] : cases) {
    const auto parsed = ParsePosition(text);
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(parsed.status().message()), testing::HasSubstr(why)) << text;
  }
}

TEST(PositionTextTest, ThePositionAfterADeliveryNamesItsEvent) {
  refundrelay::v1::Delivery delivery;
  delivery.set_sequence(9);
  delivery.mutable_event()->set_event_id("65e02242d03692125f1f3593-4ad38e3cfdb0ae41");
  const auto after = PositionAfter("log", delivery);
  EXPECT_EQ(after.log_id(), "log");
  EXPECT_EQ(after.sequence(), 9u);
  EXPECT_EQ(after.event_hash(), XXH3_64bits("65e02242d03692125f1f3593-4ad38e3cfdb0ae41", 41));
}

}  // namespace
}  // namespace refund_relay
