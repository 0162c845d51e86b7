// What verify finds, and what it leaves alone.
#include "server/maintenance/log_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/log/refund_index.h"
#include "tests/unit/maintenance/log_file.h"

namespace refund_relay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LogCheckTest : public ::testing::Test {
 protected:
  LogReport Check() {
    const auto report = CheckLog(file_.path(), [] { return false; });
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(LogReport());
  }
  void RunSql(const std::string& sql) { LogFile::RunSql(file_.path(), sql); }

  LogFile file_;
};

TEST_F(LogCheckTest, ASoundLogIsSoundWhileItIsOpenAndAfter) {
  auto log = file_.Open();
  file_.Append(*log, 1, 30);
  TrimRequest request;
  request.stored_before = absl::InfiniteFuture();
  request.max_events = 19;
  ASSERT_TRUE(TrimAndWait(*log, request).ok());
  Answer<absl::StatusOr<uint64_t>> committed;
  log->positions().Commit({"books", {25, EventHash("e25")}, "", {}}, committed.Callback());
  ASSERT_TRUE(committed.Wait().ok());
  for (const bool open : {true, false}) {
    if (!open) log.reset();
    const LogReport report = Check();
    EXPECT_THAT(report.listed_problems, IsEmpty());
    EXPECT_TRUE(report.sound());
    EXPECT_EQ(report.first_sequence, 20u);
    EXPECT_EQ(report.last_sequence, 30u);
    EXPECT_EQ(report.events, 11u);
    EXPECT_EQ(report.ids, 30u);
    EXPECT_EQ(report.positions, 1u);
    EXPECT_THAT(report.Text(), HasSubstr("events                11, sequences 20 to 30\n"));
  }
}

TEST_F(LogCheckTest, ASoundLogOfSeveralBlocksThatWasTrimmedWithinOne) {
  const auto log = file_.Open();
  file_.Append(*log, 1, static_cast<int>(2 * kRefundBlockEvents) + 3);
  TrimRequest request;
  request.stored_before = absl::InfiniteFuture();
  request.max_events = kRefundBlockEvents + 7;
  ASSERT_TRUE(TrimAndWait(*log, request).ok());
  EXPECT_THAT(Check().listed_problems, IsEmpty());
  RunSql("INSERT INTO refund_index VALUES (0, 1, x'')");
  EXPECT_THAT(Check().listed_problems, ElementsAre("the look-up by refund holds 1 blocks of which no event is stored"));
  RunSql("DELETE FROM refund_index WHERE block = 0");
  RunSql("UPDATE refund_index SET entries = x'010203040506' WHERE block = 1 AND bucket = 5");
  EXPECT_THAT(Check().listed_problems,
              ElementsAre("the look-up by refund does not agree with the events from sequence 1025 to 2048"));
}

TEST_F(LogCheckTest, AnEmptiedLogIsSound) {
  const auto log = file_.Open();
  file_.Append(*log, 1, 5);
  TrimRequest request;
  request.stored_before = absl::InfiniteFuture();
  ASSERT_TRUE(TrimAndWait(*log, request).ok());
  EXPECT_THAT(Check().listed_problems, IsEmpty());
}

TEST_F(LogCheckTest, EachDamageIsFoundAndNamed) {
  struct Case {
    const char* sql;
    const char* problem;
  };
  for (const Case& c : {
           Case{"UPDATE events SET event = x'00' WHERE sequence = 3", "the event at sequence 3 is damaged"},
           Case{"DELETE FROM events WHERE sequence IN (4, 5)", "the events at sequences 4 to 5 are missing"},
           Case{"DELETE FROM events WHERE sequence = 1", "the event at sequence 1 is missing"},
           Case{"DELETE FROM event_ids WHERE event_id = 'e7'", "a second copy would be stored"},
           Case{"UPDATE event_ids SET sequence = 8 WHERE event_id = 'e7'", "at sequence 7 is known for sequence 8"},
           Case{"INSERT INTO event_ids VALUES ('x', 99)",
                "1 known ids are of sequences that come after the last event"},
           Case{"INSERT INTO event_ids VALUES ('x', 2)", "11 ids are known for the 10 events stored"},
           Case{"INSERT INTO positions VALUES ('books', 11, 0, 1, x'', 0)", "of books lies past the last event"},
           Case{"INSERT INTO positions VALUES ('books', 2, 77, 1, x'', 0)", "of books names another event"},
           Case{"INSERT INTO positions VALUES ('books', 2, 0, 0, x'', 0)", "of books has no version"},
           Case{"INSERT INTO quarantine VALUES (1, 'q-1', x'00', 1, '', '', '', 0, 1, x'01')", "q-1 is damaged"},
           Case{"DELETE FROM meta WHERE key = 'log_id'", "names no log_id"},
       }) {
    LogFile file;
    {
      const auto log = file.Open();
      file.Append(*log, 1, 10);
    }
    LogFile::RunSql(file.path(), c.sql);
    const auto report = CheckLog(file.path(), [] { return false; });
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_FALSE(report->sound()) << c.sql;
    EXPECT_THAT(report->Text(), HasSubstr(c.problem)) << c.sql;
    EXPECT_THAT(report->Text(), HasSubstr("DAMAGED"));
  }
}

TEST_F(LogCheckTest, BytesThatAreOverwrittenInTheFileAreNoticed) {
  {
    const auto log = file_.Open();
    file_.Append(*log, 1, 300);
  }
  std::fstream file(file_.path(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(0, std::ios::end);
  const auto size = static_cast<int64_t>(file.tellp());
  for (int64_t page = 4096; page + 4096 <= size; page += int64_t{3} * 4096) {
    file.seekp(page + 2000);
    file << std::string(300, '\xa5');
  }
  file.close();
  EXPECT_FALSE(Check().sound());
}

TEST_F(LogCheckTest, WhatIsNoLogIsSaidToBeNone) {
  const auto missing = CheckLog(file_.folder() + "/none.db", [] { return false; });
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  const std::string foreign = file_.folder() + "/foreign.db";
  LogFile::RunSql(foreign, "CREATE TABLE t (x)");
  const auto other = CheckLog(foreign, [] { return false; });
  EXPECT_EQ(other.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(other.status().message()), HasSubstr("is no log of refund-relay"));
  file_.Open().reset();
  RunSql("UPDATE meta SET value = 1 WHERE key = 'schema_version'");
  const auto older = CheckLog(file_.path(), [] { return false; });
  EXPECT_EQ(older.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(older.status().message()), HasSubstr("schema version 1"));
}

TEST_F(LogCheckTest, ItCanBeCancelled) {
  const auto log = file_.Open();
  file_.Append(*log, 1, 3000);
  EXPECT_EQ(CheckLog(file_.path(), [] { return true; }).status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace refund_relay
