// Backups: taken beside a log that is written, checked, restored.
#include "server/maintenance/backup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/unit/maintenance/log_file.h"

namespace refund_relay {
namespace {

using ::testing::HasSubstr;

class BackupTest : public ::testing::Test {
 protected:
  absl::StatusOr<BackupReport> Backup() {
    return MakeBackup(file_.path(), to_, [] { return false; });
  }
  // Puts the backup into a data folder of its own and opens that.
  std::unique_ptr<SqliteEventLog> Restore() {
    std::filesystem::create_directories(restored_);
    std::filesystem::copy_file(to_, LogDatabasePath(restored_));
    return OpenRestored();
  }
  std::unique_ptr<SqliteEventLog> OpenRestored() {
    SqliteEventLog::Options options;
    options.data_dir = restored_;
    options.clock = &file_.clock();
    auto log = SqliteEventLog::Open(options);
    EXPECT_TRUE(log.ok()) << log.status();
    return log.ok() ? *std::move(log) : nullptr;
  }
  size_t FilesInFolder() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(file_.folder()), {}));
  }

  LogFile file_;
  const std::string to_ = file_.folder() + "/backup.db";
  const std::string restored_ = file_.folder() + "/restored";
};

TEST_F(BackupTest, ARestoredLogHoldsEverythingUnderANewLogId) {
  auto log = file_.Open();
  file_.Append(*log, 1, 20);
  TrimRequest trim;
  trim.stored_before = absl::InfiniteFuture();
  trim.max_events = 4;
  ASSERT_TRUE(TrimAndWait(*log, trim).ok());
  Answer<absl::StatusOr<uint64_t>> committed;
  log->positions().Commit({"books", {12, EventHash("e12")}, "filter", {}}, committed.Callback());
  ASSERT_TRUE(committed.Wait().ok());
  Answer<absl::StatusOr<QuarantineOutcome>> quarantined;
  NewQuarantinedWebhook webhook;
  webhook.body = "";
  webhook.body_hash = std::string(
      "\xe3\xb0\xc4\x42\x98\xfc\x1c\x14\x9a\xfb\xf4\xc8\x99\x6f\xb9\x24\x27\xae\x41\xe4\x64\x9b\x93\x4c\xa4\x95\x99\x1b"
      "\x78\x52\xb8\x55",
      32);
  log->quarantine().Add(webhook, quarantined.Callback());
  ASSERT_TRUE(quarantined.Wait().ok());

  const auto report = Backup();
  ASSERT_TRUE(report.ok()) << report.status();
  const RestoredFrom taken_of{log->Info().log_id, 20};
  EXPECT_EQ(report->taken_of, taken_of);
  EXPECT_EQ(report->check.events, 16u);
  EXPECT_EQ(report->bytes, std::filesystem::file_size(to_));
  struct stat info{};
  ASSERT_EQ(stat(to_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u) << "personal data";
  EXPECT_EQ(FilesInFolder(), 2u) << "data and the backup";
  file_.Append(*log, 21, 25);

  auto restored = Restore();
  const LogInfo first = restored->Info();
  EXPECT_NE(first.log_id, taken_of.log_id);
  EXPECT_EQ(first.log_id.size(), 36u);
  EXPECT_EQ(first.restored_from, taken_of);
  EXPECT_EQ(first.first_sequence, 5u);
  EXPECT_EQ(first.last, (LogPosition{20, EventHash("e20")}));
  EXPECT_EQ(ReadAll(*restored, {4, EventHash("e4")})->size(), 16u);
  ASSERT_TRUE(restored->positions().Get("books").has_value());
  EXPECT_EQ(restored->positions().Get("books")->position, (LogPosition{12, EventHash("e12")}));
  EXPECT_EQ(restored->positions().Get("books")->filter, "filter");
  EXPECT_EQ(restored->quarantine().Info().webhooks, 1u);
  EXPECT_TRUE(AppendAndWait(*restored, MakeEvent("e2"))->duplicate) << "ids of deleted events are in it, too";
  EXPECT_EQ(AppendAndWait(*restored, MakeEvent("other"))->sequence, 21u);

  restored.reset();
  restored = OpenRestored();
  EXPECT_EQ(restored->Info().log_id, first.log_id) << "the next opening keeps it";
  EXPECT_EQ(restored->Info().restored_from, taken_of);
}

TEST_F(BackupTest, ABackupOfARestoredLogNamesThatLog) {
  auto log = file_.Open();
  file_.Append(*log, 1, 3);
  ASSERT_TRUE(Backup().ok());
  auto restored = Restore();
  file_.Append(*restored, 4, 5);
  const auto again = MakeBackup(LogDatabasePath(restored_), file_.folder() + "/second.db", [] { return false; });
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->taken_of, (RestoredFrom{restored->Info().log_id, 5}));
}

TEST_F(BackupTest, IsTakenBesideAppendsAndHoldsAPrefixOfThem) {
  const auto log = file_.Open();
  file_.Append(*log, 1, 50);
  std::atomic<bool> done = false;
  std::thread appender([&] {
    for (int i = 51; !done; ++i) ASSERT_TRUE(AppendAndWait(*log, MakeEvent(absl::StrCat("e", i))).ok());
  });
  const auto report = Backup();
  done = true;
  appender.join();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_GE(report->taken_of.last_sequence, 50u);
  const auto restored = Restore();
  const auto seen = ReadAll(*restored);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->size(), report->taken_of.last_sequence);
}

TEST_F(BackupTest, NeverOverwritesAndLeavesNothingBehind) {
  const auto log = file_.Open();
  file_.Append(*log, 1, 3);
  std::ofstream(to_) << "precious";
  EXPECT_EQ(Backup().status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(std::filesystem::file_size(to_), 8u);
  std::filesystem::remove(to_);

  std::ofstream(to_ + kPartialSuffix) << "of another";
  const auto busy = Backup();
  EXPECT_EQ(busy.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(busy.status().message()), HasSubstr("another backup is writing it"));
  EXPECT_EQ(std::filesystem::file_size(to_ + kPartialSuffix), 10u);
  std::filesystem::remove(to_ + kPartialSuffix);

  const auto nowhere = MakeBackup(file_.path(), file_.folder() + "/none/backup.db", [] { return false; });
  EXPECT_EQ(nowhere.status().code(), absl::StatusCode::kNotFound);
  const auto cancelled = MakeBackup(file_.path(), to_, [] { return true; });
  EXPECT_EQ(cancelled.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(FilesInFolder(), 1u);
}

TEST_F(BackupTest, OfADamagedLogIsRefused) {
  {
    const auto log = file_.Open();
    file_.Append(*log, 1, 5);
  }
  LogFile::RunSql(file_.path(), "UPDATE events SET event = x'00' WHERE sequence = 3");
  const auto report = Backup();
  EXPECT_EQ(report.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(report.status().message()), HasSubstr("the event at sequence 3 is damaged"));
  EXPECT_EQ(FilesInFolder(), 1u);
}

}  // namespace
}  // namespace refund_relay
