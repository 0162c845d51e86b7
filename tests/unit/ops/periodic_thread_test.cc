// A periodic thread: runs, rests as it is told, and stops at once.
#include "server/ops/periodic_thread.h"

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"

namespace refund_relay {
namespace {

TEST(PeriodicThreadTest, RunsAgainAndAgain) {
  absl::BlockingCounter runs(3);
  int left = 3;
  PeriodicThread thread;
  thread.Start(absl::ZeroDuration(), [&] {
    if (left-- > 0) runs.DecrementCount();
    return left > 0 ? absl::ZeroDuration() : absl::Hours(1);
  });
  runs.Wait();
}

TEST(PeriodicThreadTest, AWakeEndsARest) {
  absl::Notification first;
  absl::BlockingCounter runs(2);
  PeriodicThread thread;
  thread.Start(absl::ZeroDuration(), [&] {
    if (!first.HasBeenNotified()) first.Notify();
    runs.DecrementCount();
    return absl::Hours(1);
  });
  first.WaitForNotification();
  thread.Wake();
  runs.Wait();
  thread.Stop();
}

TEST(PeriodicThreadTest, AStopEndsARestAtOnceAlsoTheFirst) {
  bool ran = false;
  PeriodicThread thread;
  thread.Start(absl::Hours(1), [&] {
    ran = true;
    return absl::Hours(1);
  });
  thread.Stop();
  EXPECT_FALSE(ran);
  thread.Stop();
}

TEST(PeriodicThreadTest, ARunLearnsOfTheStopAndIsWaitedFor) {
  absl::Notification running;
  bool ended = false;
  PeriodicThread thread;
  thread.Start(absl::ZeroDuration(), [&] {
    running.Notify();
    while (!thread.stop_requested()) {
    }
    ended = true;
    return absl::ZeroDuration();
  });
  running.WaitForNotification();
  thread.Stop();
  EXPECT_TRUE(ended);
}

TEST(PeriodicThreadTest, MayBeStoppedWithoutAStart) {
  PeriodicThread thread;
  thread.Stop();
  EXPECT_TRUE(thread.stop_requested());
}

}  // namespace
}  // namespace refund_relay
