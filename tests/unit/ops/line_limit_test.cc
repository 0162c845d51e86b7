// LineLimit: so many lines a second, and what was left out is told by the next.
#include "server/ops/line_limit.h"

#include "gtest/gtest.h"

namespace refund_relay {
namespace {

TEST(LineLimitTest, SoManyASecondAndThenHowManyWereLeftOut) {
  LineLimit limit(2);
  const absl::Time begin = absl::UnixEpoch();
  EXPECT_EQ(limit.Admit(begin), 0u);
  EXPECT_EQ(limit.Admit(begin + absl::Milliseconds(1)), 0u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limit.Admit(begin + absl::Milliseconds(999)), std::nullopt);
  EXPECT_EQ(limit.Admit(begin + absl::Seconds(1)), 3u);
  EXPECT_EQ(limit.Admit(begin + absl::Seconds(1)), 0u);
  EXPECT_EQ(limit.Admit(begin + absl::Seconds(1)), std::nullopt);
}

TEST(LineLimitTest, AClockThatIsSetBackSilencesNothing) {
  LineLimit limit(1);
  EXPECT_EQ(limit.Admit(absl::UnixEpoch() + absl::Hours(1)), 0u);
  EXPECT_EQ(limit.Admit(absl::UnixEpoch()), 0u);
}

}  // namespace
}  // namespace refund_relay
