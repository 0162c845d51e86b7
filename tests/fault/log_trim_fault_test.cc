// Deleting survives what appending survives: processes that die and power that goes in the middle of trims.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/log/refund_index.h"
#include "server/log/sqlite_event_log.h"
#include "tests/testing/log_probe.h"
#include "tests/testing/power_cut_vfs.h"
#include "tests/testing/random_lives.h"
#include "tests/testing/temp_dir.h"

namespace refund_relay {
namespace {

constexpr int kRounds = 10;
constexpr int kLongRounds = 200;
// So many events at the start that a block of the look-up index fills in the middle of the lives and deaths.
constexpr int kEventsBefore = static_cast<int>(kRefundBlockEvents) - 60;

class LogTrimFaultTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<SqliteEventLog>> TryOpen(const std::string& dir) {
    SqliteEventLog::Options options;
    options.data_dir = dir;
    options.vfs = PowerCutVfs::name();
    options.limits.max_batch_events = 8;
    return SqliteEventLog::Open(options);
  }

  // What was answered holds: nothing deleted is back, nothing else is gone, ids and look-ups agree with the events.
  void CheckAnswers(SqliteEventLog& log) {
    const uint64_t first = log.Info().first_sequence;
    ASSERT_GE(first, first_answered_) << "what was deleted came back";
    first_answered_ = first;
    const auto seen = ReadAll(log, {first - 1, 0});
    ASSERT_TRUE(seen.ok()) << seen.status();
    ASSERT_EQ(seen->size(), log.Info().last.sequence + 1 - first);
    for (const auto& [id, sequence] : acknowledged_) {
      const auto found = log.Find(id);
      if (sequence < first) {
        ASSERT_EQ(ReasonText(found.status()), absl::StrCat("EVENT_EXPIRED sequence=", sequence));
        continue;
      }
      ASSERT_TRUE(found.ok()) << id << " was answered and is gone: " << found.status();
      ASSERT_EQ(found->sequence, sequence);
    }
    for (size_t i = 0; i < seen->size(); i += 1 + seen->size() / 20) {
      std::vector<uint64_t> sequences;
      const auto through = log.FindByRefund(RefundIdKind::kRefundId, "refund-" + (*seen)[i].event_id, {first - 1, 0},
                                            {}, [&](const StoredEvent& event) { sequences.push_back(event.sequence); });
      ASSERT_TRUE(through.ok()) << through.status();
      ASSERT_EQ(sequences, std::vector<uint64_t>{(*seen)[i].sequence});
    }
  }

  PowerCutVfs vfs_;
  std::map<std::string, uint64_t> acknowledged_;
  uint64_t first_answered_ = 1;
};

TEST_F(LogTrimFaultTest, NoAnswerIsEverALieWhileEventsAreDeleted) {
  const int rounds = RoundsOf(kRounds, kLongRounds);
  int kills = 0;
  uint64_t trimmed_in_all = 0;
  for (int seed = 1; seed <= rounds; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    RandomLives lives(vfs_, seed);
    TempDir dir;
    acknowledged_.clear();
    first_answered_ = 1;
    int next_id = 0;
    {
      const auto log = TryOpen(dir.path());
      ASSERT_TRUE(log.ok()) << log.status();
      Answers answers;
      for (; next_id < kEventsBefore; ++next_id) (*log)->Append(MakeEvent(absl::StrCat("e", next_id)), answers.Next());
      for (const auto& outcome : answers.Wait()) ASSERT_TRUE(outcome.ok()) << outcome.status();
    }
    for (int life = 0; life < 6; ++life) {
      lives.Begin(8);
      auto log = TryOpen(dir.path());
      if (log.ok()) {
        CheckAnswers(**log);
        if (HasFatalFailure()) return;
        Answers answers;
        std::vector<std::string> ids;
        std::vector<Answer<absl::StatusOr<TrimOutcome>>> trims;
        for (int i = 0; i < 40; ++i) {
          ids.push_back(absl::StrCat("e", lives.Below(3) == 0 ? lives.Below(next_id + 1) : next_id++));
          (*log)->Append(MakeEvent(ids.back(), "n", "c", static_cast<size_t>(lives.Below(3000))), answers.Next());
          if (lives.Below(4) != 0) continue;
          TrimRequest request;
          request.stored_before = absl::InfiniteFuture();
          request.max_events = 1 + static_cast<size_t>(lives.Below(60));
          (*log)->Trim(request, trims.emplace_back().Callback());
        }
        const auto outcomes = answers.Wait();
        for (size_t i = 0; i < ids.size(); ++i) {
          if (!outcomes[i].ok()) continue;
          const auto [known, is_new] = acknowledged_.emplace(ids[i], outcomes[i]->sequence);
          ASSERT_EQ(known->second, outcomes[i]->sequence) << ids[i];
          ASSERT_TRUE(is_new || outcomes[i]->duplicate) << ids[i];
        }
        for (auto& trim : trims) {
          const auto outcome = trim.Wait();
          if (!outcome.ok() || outcome->events.empty()) continue;
          first_answered_ = std::max(first_answered_, outcome->events.back().sequence + 1);
          trimmed_in_all += outcome->events.size();
        }
      }
      const bool died = lives.End([&] {
        if (log.ok()) log->reset();
      });
      kills += died ? 1 : 0;
    }
  }
  EXPECT_GT(trimmed_in_all, static_cast<uint64_t>(rounds) * 100) << "too little was deleted to prove anything";
  EXPECT_GE(kills, rounds) << "too little died to prove anything";
}

}  // namespace
}  // namespace refund_relay
