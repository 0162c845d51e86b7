// What was answered survives: processes that die between write and sync, and power cuts after them.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/log/sqlite_event_log.h"
#include "tests/testing/log_probe.h"
#include "tests/testing/power_cut_vfs.h"
#include "tests/testing/random_lives.h"
#include "tests/testing/temp_dir.h"

namespace refund_relay {
namespace {

constexpr auto kKeepNothing = [] { return false; };
constexpr int kRounds = 25;
constexpr int kLongRounds = 500;

class LogPowerCutTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<SqliteEventLog>> TryOpen(const std::string& dir) {
    SqliteEventLog::Options options;
    options.data_dir = dir;
    options.vfs = PowerCutVfs::name();
    options.limits.max_batch_events = 8;
    return SqliteEventLog::Open(options);
  }

  std::unique_ptr<SqliteEventLog> OpenLog() {
    auto log = TryOpen(dir_.path());
    EXPECT_TRUE(log.ok()) << log.status();
    return log.ok() ? *std::move(log) : nullptr;
  }

  TempDir dir_;
  PowerCutVfs vfs_;
};

TEST_F(LogPowerCutTest, AnAnsweredEventIsThereAfterThePowerWent) {
  auto log = OpenLog();
  for (int i = 1; i <= 5; ++i) ASSERT_TRUE(AppendAndWait(*log, MakeEvent(absl::StrCat("e", i))).ok());
  vfs_.Kill();
  log.reset();
  vfs_.CutPower(kKeepNothing);
  vfs_.Revive();
  log = OpenLog();
  const auto seen = ReadAll(*log);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->size(), 5u);
}

// The written frame outlives the process but not the power: opening has to make it durable before it answers for it.
TEST_F(LogPowerCutTest, ADuplicateOfAnEventThatWasWrittenButNotSyncedIsNoLie) {
  auto log = OpenLog();
  ASSERT_TRUE(AppendAndWait(*log, MakeEvent("e1")).ok());
  vfs_.KillAtWalSync(0);
  const auto unknown = AppendAndWait(*log, MakeEvent("e2"));
  EXPECT_TRUE(absl::IsAborted(unknown.status())) << unknown.status();
  log.reset();

  vfs_.Revive();
  log = OpenLog();
  const auto again = AppendAndWait(*log, MakeEvent("e2"));
  ASSERT_TRUE(again.ok()) << again.status();
  ASSERT_TRUE(again->duplicate) << "the frame was not there: the scenario is not the one to be tested";
  vfs_.Kill();
  log.reset();
  vfs_.CutPower(kKeepNothing);

  vfs_.Revive();
  log = OpenLog();
  const auto found = log->Find("e2");
  ASSERT_TRUE(found.ok()) << "answered as a duplicate, then lost: " << found.status();
  EXPECT_EQ(found->sequence, again->sequence);
}

// A write-ahead log whose entry in the folder was never synced would vanish whole, however often its bytes are synced.
TEST_F(LogPowerCutTest, TheFoldersEntriesAreSyncedThoughAnEarlierProcessMadeThem) {
  vfs_.KillAtWalSync(0);
  EXPECT_FALSE(TryOpen(dir_.path()).ok());
  vfs_.Revive();
  auto log = OpenLog();
  ASSERT_TRUE(AppendAndWait(*log, MakeEvent("e1")).ok());
  vfs_.Kill();
  log.reset();
  vfs_.CutPower(kKeepNothing);
  vfs_.Revive();
  log = OpenLog();
  EXPECT_TRUE(log->Find("e1").ok()) << log->Find("e1").status();
}

// Lives and deaths of one log: each life appends new and old ids and dies at some sync, or at none, while opening or
// later; after some deaths the power goes too, and the disk keeps a random part of what was not synced.
TEST_F(LogPowerCutTest, NoAnswerIsEverALieOverRandomLivesAndDeaths) {
  const int rounds = RoundsOf(kRounds, kLongRounds);
  int acknowledged_in_all = 0;
  int kills = 0;
  for (int seed = 1; seed <= rounds; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    RandomLives lives(vfs_, seed);
    TempDir dir;
    std::map<std::string, uint64_t> acknowledged;
    int next_id = 0;
    for (int life = 0; life < 5; ++life) {
      lives.Begin(6);
      auto log = TryOpen(dir.path());
      if (log.ok()) {
        for (const auto& [id, sequence] : acknowledged) {
          const auto found = (*log)->Find(id);
          ASSERT_TRUE(found.ok()) << "life " << life << ": " << id << " was answered and is gone: " << found.status();
          ASSERT_EQ(found->sequence, sequence);
        }
        const auto seen = ReadAll(**log);
        ASSERT_TRUE(seen.ok()) << seen.status();
        ASSERT_EQ(seen->size(), (*log)->Info().last.sequence);

        Answers answers;
        std::vector<std::string> ids;
        for (int i = 0; i < 40; ++i) {
          ids.push_back(absl::StrCat("e", lives.Below(3) == 0 ? lives.Below(next_id + 1) : next_id++));
          (*log)->Append(MakeEvent(ids.back(), "n", "c", static_cast<size_t>(lives.Below(6000))), answers.Next());
        }
        const auto outcomes = answers.Wait();
        for (size_t i = 0; i < ids.size(); ++i) {
          if (!outcomes[i].ok()) {
            ASSERT_TRUE(absl::IsAborted(outcomes[i].status())) << outcomes[i].status();
            continue;
          }
          const auto [known, is_new] = acknowledged.emplace(ids[i], outcomes[i]->sequence);
          ASSERT_EQ(known->second, outcomes[i]->sequence) << ids[i];
          ASSERT_TRUE(is_new || outcomes[i]->duplicate) << ids[i];
          ++acknowledged_in_all;
        }
      }
      const bool died = lives.End([&] {
        if (log.ok()) log->reset();
      });
      kills += died ? 1 : 0;
    }
  }
  EXPECT_GT(acknowledged_in_all, rounds) << "too little was answered to prove anything";
  EXPECT_GE(kills, rounds) << "too little died to prove anything";
}

}  // namespace
}  // namespace refund_relay
