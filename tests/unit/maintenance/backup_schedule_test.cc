// Backups by the clock.
#include "server/maintenance/backup_schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/maintenance/log_check.h"
#include "tests/unit/maintenance/log_file.h"

namespace refund_relay {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

class BackupScheduleTest : public ::testing::Test {
 protected:
  BackupScheduleTest() : log_(file_.Open()) { file_.Append(*log_, 1, 3); }

  BackupSchedule& Make(size_t keep = 3) {
    BackupSchedule::Options options;
    options.database = file_.path();
    options.log_id = log_->Info().log_id;
    options.folder = folder_;
    options.interval = absl::Hours(6);
    options.keep = keep;
    options.clock = &clock_;
    registry_ = std::make_unique<prometheus::Registry>();
    schedule_ = std::make_unique<BackupSchedule>(*registry_, options);
    return *schedule_;
  }
  std::set<std::string> Files() const {
    std::set<std::string> names;
    if (!std::filesystem::exists(folder_)) return names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) names.insert(entry.path().filename());
    return names;
  }
  std::string Name(const std::string& time) const {
    return absl::StrCat("refund-relay-", log_->Info().log_id, "-", time, ".db");
  }
  double Metric(const std::string& name) const {
    for (const auto& family : registry_->Collect()) {
      if (family.name == name) return family.metric[0].gauge.value + family.metric[0].counter.value;
    }
    return -1;
  }

  LogFile file_;
  const std::string folder_ = file_.folder() + "/backups";
  ManualClock clock_{absl::FromCivil(absl::CivilSecond(2026, 11, 24, 8, 0, 0), absl::UTCTimeZone())};
  std::unique_ptr<SqliteEventLog> log_;
  std::unique_ptr<prometheus::Registry> registry_;
  std::unique_ptr<BackupSchedule> schedule_;
};

TEST_F(BackupScheduleTest, TakesOneAtOnceAndThenOneEachInterval) {
  BackupSchedule& schedule = Make();
  EXPECT_EQ(Metric("refund_relay_backup_last_success_timestamp_seconds"), 0);
  schedule.RunOnce();
  EXPECT_THAT(Files(), ElementsAre(Name("20261124T080000Z")));
  EXPECT_TRUE(CheckLog(folder_ + "/" + Name("20261124T080000Z"), [] { return false; })->sound());
  EXPECT_EQ(Metric("refund_relay_backup_last_success_timestamp_seconds"), absl::ToUnixSeconds(clock_.Now()));
  EXPECT_GT(Metric("refund_relay_backup_duration_seconds"), 0);
  EXPECT_EQ(Metric("refund_relay_backup_interval_seconds"), 6 * 3600);
  clock_.Advance(absl::Hours(6) - absl::Seconds(10));
  EXPECT_EQ(schedule.RunOnce(), absl::Seconds(10));
  EXPECT_THAT(Files(), SizeIs(1));
  clock_.Advance(absl::Seconds(10));
  schedule.RunOnce();
  EXPECT_THAT(Files(), ElementsAre(Name("20261124T080000Z"), Name("20261124T140000Z")));
  EXPECT_EQ(Metric("refund_relay_backup_failures_total"), 0);
}

TEST_F(BackupScheduleTest, ARestartTakesNoneBeforeItsTimeAndKnowsTheLast) {
  Make().RunOnce();
  const double last = Metric("refund_relay_backup_last_success_timestamp_seconds");
  clock_.Advance(absl::Hours(1));
  Make().RunOnce();
  EXPECT_THAT(Files(), SizeIs(1));
  EXPECT_EQ(Metric("refund_relay_backup_last_success_timestamp_seconds"), last);
}

TEST_F(BackupScheduleTest, KeepsTheNewestOfThisLogAndTouchesNothingElse) {
  std::filesystem::create_directories(folder_);
  const std::string others[] = {"refund-relay-00000000-0000-4000-8000-000000000000-20200101T000000Z.db", "notes.txt",
                                Name("yesterday"), Name("20200101T000000Z") + ".gz"};
  for (const std::string& name : others) std::ofstream(folder_ + "/" + name) << "x";
  BackupSchedule& schedule = Make(/*keep=*/2);
  for (int i = 0; i < 4; ++i) {
    schedule.RunOnce();
    clock_.Advance(absl::Hours(6));
  }
  std::set<std::string> expected(std::begin(others), std::end(others));
  expected.insert({Name("20261124T200000Z"), Name("20261125T020000Z")});
  EXPECT_EQ(Files(), expected);
}

TEST_F(BackupScheduleTest, ANameFromTheFutureNeitherDelaysNorOutlivesANewOne) {
  std::filesystem::create_directories(folder_);
  std::ofstream(folder_ + "/" + Name("20991231T000000Z")) << "x";
  Make(/*keep=*/1).RunOnce();
  EXPECT_THAT(Files(), ElementsAre(Name("20261124T080000Z")));
}

TEST_F(BackupScheduleTest, AFailureIsCountedAndTriedAgainSoon) {
  std::ofstream(folder_) << "a file where the folder should be";
  BackupSchedule& schedule = Make();
  EXPECT_EQ(schedule.RunOnce(), kRetryBackupAfter);
  EXPECT_EQ(Metric("refund_relay_backup_failures_total"), 1);
  EXPECT_EQ(Metric("refund_relay_backup_last_success_timestamp_seconds"), 0);
  std::filesystem::remove(folder_);
  schedule.RunOnce();
  EXPECT_THAT(Files(), SizeIs(1));
}

TEST_F(BackupScheduleTest, WhatAKilledProcessLeftIsCleanedUp) {
  std::filesystem::create_directories(folder_);
  std::ofstream(folder_ + "/" + Name("20261124T080000Z") + ".partial") << "x";
  Make().RunOnce();
  EXPECT_THAT(Files(), ElementsAre(Name("20261124T080000Z")));
}

TEST_F(BackupScheduleTest, ItsThreadTakesOneAndStops) {
  BackupSchedule& schedule = Make();
  schedule.Start();
  const absl::Time deadline = absl::Now() + kTestDeadline;
  while (Metric("refund_relay_backup_duration_seconds") == 0 && absl::Now() < deadline) std::this_thread::yield();
  schedule.Stop();
  EXPECT_THAT(Files(), ElementsAre(Name("20261124T080000Z")));
}

}  // namespace
}  // namespace refund_relay
