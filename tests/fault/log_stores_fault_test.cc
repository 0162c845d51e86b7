// Committed positions and the quarantine under full disks, dying processes and power cuts.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/log/sqlite_event_log.h"
#include "tests/testing/log_probe.h"
#include "tests/testing/power_cut_vfs.h"
#include "tests/testing/random_lives.h"
#include "tests/testing/temp_dir.h"

namespace refund_relay {
namespace {

constexpr int kRounds = 25;
constexpr int kLongRounds = 500;

NewQuarantinedWebhook MakeWebhook(const std::string& body) {
  NewQuarantinedWebhook webhook;
  webhook.body = body;
  webhook.body_hash = "hash of " + body;
  return webhook;
}

class LogStoresFaultTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<SqliteEventLog>> TryOpen(const std::string& dir) {
    SqliteEventLog::Options options;
    options.data_dir = dir;
    options.vfs = PowerCutVfs::name();
    options.limits.max_batch_events = 8;
    options.probe_interval = absl::Milliseconds(5);
    return SqliteEventLog::Open(options);
  }

  static absl::StatusOr<uint64_t> Commit(SqliteEventLog& log, uint64_t sequence) {
    Answer<absl::StatusOr<uint64_t>> answer;
    log.positions().Commit({"books", LogPosition{sequence, 0}, "", std::nullopt}, answer.Callback());
    return answer.Wait();
  }
  static absl::StatusOr<QuarantineOutcome> Add(SqliteEventLog& log, const std::string& body) {
    Answer<absl::StatusOr<QuarantineOutcome>> answer;
    log.quarantine().Add(MakeWebhook(body), answer.Callback());
    return answer.Wait();
  }
  static absl::StatusOr<AppendOutcome> Promote(SqliteEventLog& log, const std::string& id, const std::string& body) {
    Answer<absl::StatusOr<AppendOutcome>> answer;
    log.quarantine().Promote(id, MakeEvent(body), answer.Callback());
    return answer.Wait();
  }
  static uint64_t Committed(SqliteEventLog& log) {
    const auto position = log.positions().Get("books");
    return position.has_value() ? position->position.sequence : 0;
  }
  // The bodies in quarantine, with their ids.
  static std::map<std::string, std::string> Kept(SqliteEventLog& log) {
    QuarantineQuery query;
    query.limit = 1'000'000;
    query.include_body = true;
    std::map<std::string, std::string> kept;
    const auto page = log.quarantine().Read(query);
    for (const QuarantinedWebhook& webhook : page.value()) {
      EXPECT_TRUE(kept.emplace(webhook.body, webhook.quarantine_id).second) << webhook.body << " is kept twice";
    }
    return kept;
  }

  TempDir dir_;
  PowerCutVfs vfs_;
};

TEST_F(LogStoresFaultTest, AFullDiskChangesNothingAndNoAnswerSaysSo) {
  auto log = TryOpen(dir_.path()).value();
  ASSERT_TRUE(Commit(*log, 1).ok());
  const auto kept = Add(*log, "kept");
  ASSERT_TRUE(kept.ok());
  vfs_.FillDisk(true);
  EXPECT_TRUE(absl::IsUnavailable(Commit(*log, 2).status()));
  EXPECT_TRUE(absl::IsUnavailable(Add(*log, "refused").status()));
  EXPECT_TRUE(absl::IsUnavailable(Promote(*log, kept->quarantine_id, "kept").status()));
  EXPECT_EQ(Committed(*log), 1u);
  EXPECT_EQ(log->quarantine().Info().webhooks, 1u);
  vfs_.FillDisk(false);
  const absl::Time deadline = absl::Now() + kTestDeadline;
  while (!log->Health().ok() && absl::Now() < deadline) std::this_thread::yield();
  // Whatever the refused writes had staged is gone: the next commit of something else does not bring it back.
  ASSERT_TRUE(AppendAndWait(*log, MakeEvent("e1")).ok());
  EXPECT_EQ(Committed(*log), 1u);
  EXPECT_EQ(log->quarantine().Info().webhooks, 1u);
  EXPECT_EQ(Kept(*log).size(), 1u);
  ASSERT_TRUE(Commit(*log, 2).ok());
  EXPECT_EQ(Committed(*log), 2u);
}

// Lives and deaths of one log in which webhooks are kept, promoted and positions committed. Whatever dies, each kept
// webhook is either in quarantine or an event, once, and no acknowledged commit goes back.
TEST_F(LogStoresFaultTest, NothingIsLostOrDoubledOverRandomLivesAndDeaths) {
  const int rounds = RoundsOf(kRounds, kLongRounds);
  int acknowledged_in_all = 0;
  int kills = 0;
  for (int seed = 1; seed <= rounds; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    RandomLives lives(vfs_, seed);
    TempDir dir;
    std::set<std::string> added;     // acknowledged as kept
    std::set<std::string> promoted;  // acknowledged as an event
    uint64_t committed = 0;          // acknowledged
    int next = 0;
    for (int life = 0; life < 5; ++life) {
      lives.Begin(8);
      auto opened = TryOpen(dir.path());
      if (opened.ok()) {
        SqliteEventLog& log = **opened;
        const std::map<std::string, std::string> kept = Kept(log);
        std::set<std::string> events;
        const auto seen = ReadAll(log);
        for (const SeenEvent& event : seen.value()) {
          ASSERT_TRUE(events.insert(event.event_id).second) << event.event_id << " is stored twice";
        }
        for (const std::string& body : added) {
          ASSERT_EQ(kept.count(body) + events.count(body), 1u) << "life " << life << ": " << body;
        }
        for (const std::string& body : promoted) ASSERT_EQ(events.count(body), 1u) << "life " << life << ": " << body;
        ASSERT_GE(Committed(log), committed);
        ASSERT_EQ(log.quarantine().Info().webhooks, kept.size());

        std::vector<std::pair<std::string, std::string>> to_promote(kept.begin(), kept.end());
        for (int i = 0; i < 12; ++i) {
          const int what = lives.Below(3);
          if (what == 0) {
            const std::string body = absl::StrCat("b", next++);
            if (Add(log, body).ok()) {
              added.insert(body);
              ++acknowledged_in_all;
            }
          } else if (what == 1 && !to_promote.empty()) {
            const auto [body, id] = to_promote.back();
            to_promote.pop_back();
            const auto outcome = Promote(log, id, body);
            if (outcome.ok()) {
              ASSERT_FALSE(outcome->duplicate) << body;
              promoted.insert(body);
              ++acknowledged_in_all;
            }
          } else if (what == 2) {
            const uint64_t sequence = Committed(log) + 1;
            if (Commit(log, sequence).ok()) {
              committed = sequence;
              ++acknowledged_in_all;
            }
          }
        }
      }
      const bool died = lives.End([&] {
        if (opened.ok()) opened->reset();
      });
      kills += died ? 1 : 0;
    }
  }
  EXPECT_GT(acknowledged_in_all, 10 * rounds) << "too little was answered to prove anything";
  EXPECT_GE(kills, rounds) << "too little died to prove anything";
}

}  // namespace
}  // namespace refund_relay
