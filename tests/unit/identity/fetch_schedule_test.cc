// When keys are fetched: regularly, sooner after a failure, and not more often because many ask.
#include "server/identity/fetch_schedule.h"

#include "gtest/gtest.h"

namespace refund_relay {
namespace {

constexpr FetchSchedule::Times kTimes = {absl::Minutes(5), absl::Seconds(1), absl::Seconds(4), absl::Seconds(10)};

class FetchScheduleTest : public testing::Test {
 protected:
  void Fetch(bool successful) {
    EXPECT_EQ(schedule_.Wait(now_), absl::ZeroDuration());
    schedule_.Began(now_);
    schedule_.Ended(now_, successful);
  }

  absl::Time now_ = absl::FromUnixSeconds(1000);
  FetchSchedule schedule_{kTimes};
};

TEST_F(FetchScheduleTest, IsDueAtOnceAndThenRegularly) {
  Fetch(true);
  EXPECT_EQ(schedule_.Wait(now_), absl::Minutes(5));
  now_ += absl::Minutes(5);
  Fetch(true);
  EXPECT_EQ(schedule_.Wait(now_), absl::Minutes(5));
}

TEST_F(FetchScheduleTest, FailuresAreRetriedEverMoreSlowlyUntilOneSucceeds) {
  for (const int seconds : {1, 2, 4, 4}) {
    Fetch(false);
    EXPECT_EQ(schedule_.Wait(now_), absl::Seconds(seconds));
    now_ += absl::Seconds(seconds);
  }
  Fetch(true);
  now_ += absl::Minutes(5);
  Fetch(false);
  EXPECT_EQ(schedule_.Wait(now_), absl::Seconds(1));
}

TEST_F(FetchScheduleTest, WhoAsksIsServedAtOnceButAFloodIsNot) {
  Fetch(true);
  schedule_.Ask();
  Fetch(true);
  EXPECT_TRUE(schedule_.Ask());
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(schedule_.Ask());
  EXPECT_EQ(schedule_.Wait(now_), absl::Seconds(10));
  now_ += absl::Seconds(10);
  Fetch(true);
  EXPECT_EQ(schedule_.Wait(now_), absl::Minutes(5)) << "nobody has asked since";
}

TEST_F(FetchScheduleTest, AskingWhileOneIsUnderWayMeansAnotherOne) {
  Fetch(true);
  schedule_.Ask();
  schedule_.Began(now_);
  schedule_.Ask();
  schedule_.Ended(now_, true);
  EXPECT_EQ(schedule_.Wait(now_), absl::Seconds(10));
}

TEST_F(FetchScheduleTest, AskingDoesNotHurryRetriesBeyondItsOwnPace) {
  schedule_.Ask();
  Fetch(false);
  now_ += absl::Seconds(1);
  Fetch(false);
  now_ += absl::Seconds(2);
  Fetch(false);
  schedule_.Ask();
  EXPECT_EQ(schedule_.Wait(now_), absl::Seconds(4));
}

}  // namespace
}  // namespace refund_relay
