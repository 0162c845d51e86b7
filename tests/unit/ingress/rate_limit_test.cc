// The rate limit: how much at once, how it refills.
#include "server/ingress/rate_limit.h"

#include <gtest/gtest.h>

namespace refund_relay {
namespace {

using std::chrono::milliseconds;

TEST(RateLimitTest, HoldsOneSecondsWorthAndRefills) {
  RateLimit limit(10);
  const auto start = RateLimit::Clock::time_point() + std::chrono::hours(1);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(limit.Admit(start)) << i;
  EXPECT_FALSE(limit.Admit(start));
  EXPECT_FALSE(limit.Admit(start + milliseconds(99)));
  EXPECT_TRUE(limit.Admit(start + milliseconds(101)));
  EXPECT_FALSE(limit.Admit(start + milliseconds(102)));
  int admitted = 0;
  for (int i = 0; i < 100; ++i) admitted += limit.Admit(start + std::chrono::hours(2)) ? 1 : 0;
  EXPECT_EQ(admitted, 10) << "an idle hour fills the bucket once";
}

TEST(RateLimitTest, BelowOneASecond) {
  RateLimit limit(0.5);
  const auto start = RateLimit::Clock::time_point() + std::chrono::hours(1);
  EXPECT_TRUE(limit.Admit(start));
  EXPECT_FALSE(limit.Admit(start + milliseconds(1900)));
  EXPECT_TRUE(limit.Admit(start + milliseconds(2001)));
}

TEST(RateLimitTest, ZeroIsNoLimit) {
  RateLimit limit(0);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(limit.Admit(RateLimit::Clock::time_point()));
}

}  // namespace
}  // namespace refund_relay
