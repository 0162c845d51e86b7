// Signals: the first one stops in order, the second at once, SIGHUP reloads.
#include "server/ops/signals.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace refund_relay {
namespace {

constexpr absl::Duration kDeadline = absl::Seconds(30);

// Gets an orderly stop and then `second`; exits 1 if the first one was not seen.
[[noreturn]] void StopTwice(int second) {
  BlockSignals();
  absl::Notification stopped;
  const SignalThread signals({.stop = [&stopped] { stopped.Notify(); }, .reload = [] {}});
  kill(getpid(), SIGTERM);
  if (!stopped.WaitForNotificationWithTimeout(kDeadline)) _exit(1);
  kill(getpid(), second);
  while (true) pause();
}

class SignalThreadTest : public ::testing::TestWithParam<int> {
 protected:
  SignalThreadTest() { BlockSignals(); }
};

TEST_P(SignalThreadTest, AStopSignalCallsStop) {
  absl::Notification stopped;
  SignalThread signals({.stop = [&stopped] { stopped.Notify(); }, .reload = [] { ADD_FAILURE(); }});
  ASSERT_EQ(kill(getpid(), GetParam()), 0);
  EXPECT_TRUE(stopped.WaitForNotificationWithTimeout(kDeadline));
}

TEST_P(SignalThreadTest, ASecondOneEndsTheProcessAtOnce) {
  EXPECT_EXIT(StopTwice(GetParam()), ::testing::ExitedWithCode(SignalThread::kStopAtOnceExitCode), "second signal");
}

INSTANTIATE_TEST_SUITE_P(StopSignals, SignalThreadTest, ::testing::Values(SIGTERM, SIGINT));

TEST_F(SignalThreadTest, HangUpsReloadEachTimeAndDoNotStop) {
  absl::Notification first;
  absl::Notification second;
  SignalThread signals(
      {.stop = [] { ADD_FAILURE(); }, .reload = [&] { first.HasBeenNotified() ? second.Notify() : first.Notify(); }});
  ASSERT_EQ(kill(getpid(), SIGHUP), 0);
  EXPECT_TRUE(first.WaitForNotificationWithTimeout(kDeadline));
  ASSERT_EQ(kill(getpid(), SIGHUP), 0);
  EXPECT_TRUE(second.WaitForNotificationWithTimeout(kDeadline));
}

TEST_F(SignalThreadTest, ASignalThatCameEarlierIsNotLost) {
  absl::Notification stopped;
  ASSERT_EQ(kill(getpid(), SIGTERM), 0);
  SignalThread signals({.stop = [&stopped] { stopped.Notify(); }, .reload = [] {}});
  EXPECT_TRUE(stopped.WaitForNotificationWithTimeout(kDeadline));
}

TEST_F(SignalThreadTest, WritingToAClosedPipeIsAnErrorAndNoSignal) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[0]);
  EXPECT_EQ(write(ends[1], "x", 1), -1);
  EXPECT_EQ(errno, EPIPE);
  close(ends[1]);
}

}  // namespace
}  // namespace refund_relay
