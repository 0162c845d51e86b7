// A disk that fails to sync fails the log for good; a disk that is full only for as long as it is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "prometheus/registry.h"
#include "server/log/log_metrics.h"
#include "server/log/sqlite_event_log.h"
#include "tests/testing/log_probe.h"
#include "tests/testing/power_cut_vfs.h"
#include "tests/testing/temp_dir.h"

namespace refund_relay {
namespace {

using ::testing::HasSubstr;

class LogFaultTest : public ::testing::Test {
 protected:
  std::unique_ptr<SqliteEventLog> OpenLog() {
    SqliteEventLog::Options options;
    options.data_dir = dir_.path();
    options.vfs = PowerCutVfs::name();
    options.metrics = &metrics_;
    options.probe_interval = absl::Milliseconds(5);
    options.on_fatal = [this](const absl::Status& status) {
      EXPECT_TRUE(absl::IsAborted(status)) << status;
      ++fatal_;
    };
    auto log = SqliteEventLog::Open(options);
    EXPECT_TRUE(log.ok()) << log.status();
    return log.ok() ? *std::move(log) : nullptr;
  }

  double SyncFailures() const {
    for (const prometheus::MetricFamily& family : registry_.Collect()) {
      if (family.name == "refund_relay_sync_failures_total") return family.metric.front().counter.value;
    }
    return -1;
  }

  template <typename Condition>
  static bool Eventually(Condition condition) {
    const absl::Time deadline = absl::Now() + kTestDeadline;
    while (!condition()) {
      if (absl::Now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  TempDir dir_;
  PowerCutVfs vfs_;
  prometheus::Registry registry_;
  LogMetrics metrics_{registry_};
  std::atomic<int> fatal_ = 0;
};

TEST_F(LogFaultTest, AFailedSyncFailsEveryWaitingAppendAndIsNeverRetried) {
  auto log = OpenLog();
  Gate gate;
  log->StartTail([&](absl::Span<const StoredEvent> events) {
    EXPECT_EQ(events.back().sequence, 1u) << "an event that is not durable was shown";
    gate.Pass();
  });
  Answers first;
  log->Append(MakeEvent("e1"), first.Next());
  gate.AwaitArrival();
  Answers answers;
  for (int i = 0; i < 20; ++i) log->Append(MakeEvent(absl::StrCat("lost", i)), answers.Next());
  log->Append(MakeEvent("e1"), answers.Next());  // a duplicate is not answered either
  vfs_.FailSyncs("-wal");
  gate.Open();
  EXPECT_TRUE(first.Wait().front().ok());
  for (const auto& outcome : answers.Wait()) EXPECT_TRUE(absl::IsAborted(outcome.status())) << outcome.status();
  EXPECT_EQ(answers.repeated(), 0);
  EXPECT_TRUE(Eventually([&] { return fatal_ == 1; }));

  vfs_.Revive();  // the disk looks well again, which proves nothing about what it lost
  const int writes = vfs_.writes();
  const int syncs = vfs_.syncs();
  EXPECT_TRUE(absl::IsAborted(log->Health())) << log->Health();
  EXPECT_TRUE(absl::IsAborted(AppendAndWait(*log, MakeEvent("later")).status()));
  EXPECT_EQ(log->Info().last.sequence, 1u);
  EXPECT_EQ(log->Info().queued_events, 0u);
  const auto seen = ReadAll(*log);
  ASSERT_TRUE(seen.ok()) << "reads go on: " << seen.status();
  EXPECT_EQ(seen->size(), 1u);
  EXPECT_EQ(SyncFailures(), 1);
  log.reset();
  EXPECT_EQ(vfs_.writes(), writes);
  EXPECT_EQ(vfs_.syncs(), syncs) << "closing must not sync what a failed sync left";
  EXPECT_EQ(fatal_, 1);

  log = OpenLog();
  EXPECT_TRUE(log->Health().ok());
  const auto again = AppendAndWait(*log, MakeEvent("e1"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->duplicate);
  EXPECT_TRUE(AppendAndWait(*log, MakeEvent("later")).ok());
}

TEST_F(LogFaultTest, AFailedSyncOfACheckpointFailsTheLogToo) {
  auto log = OpenLog();
  vfs_.FailSyncs("events.db");
  log->Append(MakeEvent("e1"), [](const absl::StatusOr<AppendOutcome>&) {});
  EXPECT_TRUE(Eventually([&] { return fatal_ == 1; }));
  EXPECT_TRUE(absl::IsAborted(log->Health())) << log->Health();
  EXPECT_TRUE(absl::IsAborted(AppendAndWait(*log, MakeEvent("e2")).status()));
  EXPECT_EQ(SyncFailures(), 1);
  log.reset();
  vfs_.Revive();
  log = OpenLog();
  EXPECT_TRUE(AppendAndWait(*log, MakeEvent("e2")).ok());
}

TEST_F(LogFaultTest, AFullDiskRefusesAndRecoversByItself) {
  auto log = OpenLog();
  ASSERT_TRUE(AppendAndWait(*log, MakeEvent("e1")).ok());
  vfs_.FillDisk(true);
  const auto refused = AppendAndWait(*log, MakeEvent("e2"));
  EXPECT_TRUE(absl::IsUnavailable(refused.status())) << refused.status();
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("full"));
  EXPECT_TRUE(absl::IsUnavailable(log->Health())) << log->Health();
  EXPECT_TRUE(absl::IsUnavailable(AppendAndWait(*log, MakeEvent("e3")).status()));
  const auto seen = ReadAll(*log);
  ASSERT_TRUE(seen.ok()) << "reads go on: " << seen.status();
  EXPECT_EQ(seen->size(), 1u);

  vfs_.FillDisk(false);
  EXPECT_TRUE(Eventually([&] { return log->Health().ok(); })) << "without any append";
  const auto outcome = AppendAndWait(*log, MakeEvent("e2"));
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_FALSE(outcome->duplicate) << "a refused event was stored";
  EXPECT_EQ(outcome->sequence, 2u);
  EXPECT_EQ(fatal_, 0);
  EXPECT_EQ(SyncFailures(), 0);
  log.reset();
  log = OpenLog();
  EXPECT_EQ(log->Info().last, (LogPosition{2, EventHash("e2")}));
}

TEST_F(LogFaultTest, AnErrorWithinABatchLeavesNoneOfItBehind) {
  auto log = OpenLog();
  Gate gate;
  log->StartTail([&](absl::Span<const StoredEvent> events) {
    if (events.front().sequence == 1) gate.Pass();
  });
  Answers held;
  log->Append(MakeEvent("e1"), held.Next());
  gate.AwaitArrival();
  Answers answers;
  for (int i = 0; i < 10; ++i) log->Append(MakeEvent(absl::StrCat("x", i)), answers.Next());
  vfs_.FillDisk(true);
  gate.Open();
  for (const auto& outcome : answers.Wait()) EXPECT_TRUE(absl::IsUnavailable(outcome.status())) << outcome.status();
  vfs_.FillDisk(false);
  EXPECT_TRUE(Eventually([&] { return log->Health().ok(); }));
  for (int i = 9; i >= 0; --i) {
    const auto outcome = AppendAndWait(*log, MakeEvent(absl::StrCat("x", i)));
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_FALSE(outcome->duplicate);
    EXPECT_EQ(outcome->sequence, static_cast<uint64_t>(11 - i));
  }
}

}  // namespace
}  // namespace refund_relay
