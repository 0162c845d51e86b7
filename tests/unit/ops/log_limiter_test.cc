// LogLimiter: so many lines in a time, and the number of those left out.
#include "server/ops/log_limiter.h"

#include "gtest/gtest.h"

namespace refund_relay {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

TEST(LogLimiterTest, LinesBeyondTheLimitAreLeftOutAndCounted) {
  LogLimiter limiter(2, absl::Seconds(1));
  EXPECT_EQ(limiter.Admit(kStart), 0u);
  EXPECT_EQ(limiter.Admit(kStart), 0u);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(limiter.Admit(kStart + absl::Milliseconds(999)), std::nullopt);
  EXPECT_EQ(limiter.Admit(kStart + absl::Seconds(1)), 5u);
  EXPECT_EQ(limiter.Admit(kStart + absl::Seconds(1)), 0u);
  EXPECT_EQ(limiter.Admit(kStart + absl::Seconds(1)), std::nullopt);
}

TEST(LogLimiterTest, AClockThatIsSetBackSilencesNothing) {
  LogLimiter limiter(1, absl::Seconds(10));
  EXPECT_EQ(limiter.Admit(kStart), 0u);
  EXPECT_EQ(limiter.Admit(kStart - absl::Hours(1)), 0u);
}

}  // namespace
}  // namespace refund_relay
