// Limits of the process: open files up, core dumps off, no debugger.
#include "server/ops/process_limits.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace refund_relay {
namespace {

TEST(ProcessLimitsTest, RaisesTheSoftLimitOfOpenFilesToTheHardOne) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit lowered{before.rlim_max / 2, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &lowered), 0);
  const auto raised = RaiseOpenFileLimit();
  ASSERT_TRUE(raised.ok()) << raised.status();
  EXPECT_EQ(*raised, before.rlim_max);
  rlimit after{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

// In children: it is not to be undone.
[[noreturn]] void ExitWithoutCoreLimit() {
  rlimit limit{};
  const bool off = DisableCoreDumps().ok() && getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0;
  _exit(off && limit.rlim_cur == 0 ? 0 : 1);
}

[[noreturn]] void ExitUndumpable() {
  const int wanted = kLeakCheckAttaches ? 1 : 0;
  _exit(DisableCoreDumps().ok() && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == wanted ? 0 : 1);
}

TEST(ProcessLimitsDeathTest, SwitchesCoreDumpsOff) {
  EXPECT_EXIT(ExitWithoutCoreLimit(), ::testing::ExitedWithCode(0), "");
}

TEST(ProcessLimitsDeathTest, LetsNobodyAttach) { EXPECT_EXIT(ExitUndumpable(), ::testing::ExitedWithCode(0), ""); }

}  // namespace
}  // namespace refund_relay
