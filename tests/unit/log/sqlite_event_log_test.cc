// What only the embedded log has: restarts, a locked folder, damaged records, retention's traces.
#include "server/log/sqlite_event_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/log/retention.h"
#include "server/log/sqlite_schema.h"
#include "tests/testing/log_probe.h"
#include "tests/testing/manual_clock.h"
#include "tests/testing/temp_dir.h"

namespace refund_relay {
namespace {

using ::testing::HasSubstr;

class SqliteEventLogTest : public ::testing::Test {
 protected:
  SqliteEventLog::Options LogOptions() {
    SqliteEventLog::Options options;
    options.data_dir = data_dir_;
    options.clock = &clock_;
    return options;
  }

  std::unique_ptr<SqliteEventLog> OpenLog() {
    auto log = SqliteEventLog::Open(LogOptions());
    EXPECT_TRUE(log.ok()) << log.status();
    return log.ok() ? *std::move(log) : nullptr;
  }

  std::unique_ptr<SqliteEventLog> OpenLogWith(int events) {
    auto log = OpenLog();
    for (int i = 1; i <= events; ++i) {
      clock_.Advance(absl::Seconds(1));
      EXPECT_TRUE(AppendAndWait(*log, MakeEvent(absl::StrCat("e", i))).ok());
    }
    return log;
  }

  // Runs SQL on the closed or open database, as an operator with an sqlite3 shell could.
  void RunSql(const std::string& sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open((data_dir_ + "/events.db").c_str(), &db), SQLITE_OK);
    char* error = nullptr;
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &error), SQLITE_OK) << error;
    sqlite3_close(db);
  }

  // What retention does: deletes events, remembers the last of them.
  void Trim(uint64_t through, absl::Time stored_at) {
    const auto hash = static_cast<int64_t>(EventHash(absl::StrCat("e", through)));
    RunSql(absl::StrCat("BEGIN; DELETE FROM events WHERE sequence <= ", through, "; UPDATE meta SET value = ", through,
                        " WHERE key = 'trimmed_sequence'; UPDATE meta SET value = ", hash,
                        " WHERE key = 'trimmed_event_hash'; UPDATE meta SET value = ", absl::ToUnixMicros(stored_at),
                        " WHERE key = 'trimmed_stored_at'; COMMIT"));
  }

  static absl::Status ReadFrom(EventLog& log, LogPosition after) {
    return log.Read(after, {}, ReadLimits(), [](const StoredEvent&) {}).status();
  }

  TempDir temp_;
  const std::string data_dir_ = temp_.path() + "/deep/data";
  const absl::Time start_ = absl::FromUnixSeconds(1'700'000'000);
  ManualClock clock_{start_};
};

TEST_F(SqliteEventLogTest, ARestartKeepsEventsDuplicatesTimesAndTheLogId) {
  auto log = OpenLogWith(3);
  const LogInfo before = log->Info();
  log.reset();
  clock_.Set(start_ - absl::Hours(1));
  log = OpenLog();
  const LogInfo after = log->Info();
  EXPECT_EQ(after.log_id, before.log_id);
  EXPECT_EQ(after.last, (LogPosition{3, EventHash("e3")}));
  EXPECT_EQ(after.first_sequence, 1u);
  EXPECT_EQ(after.first_stored_at, before.first_stored_at);
  EXPECT_EQ(after.last_stored_at, before.last_stored_at);
  EXPECT_GT(after.log_bytes, 0u);

  const auto again = AppendAndWait(*log, MakeEvent("e2"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->sequence, 2u);
  const auto next = AppendAndWait(*log, MakeEvent("e4"));
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(next->sequence, 4u);
  const auto seen = ReadAll(*log);
  ASSERT_TRUE(seen.ok()) << seen.status();
  ASSERT_EQ(seen->size(), 4u);
  EXPECT_EQ(seen->back().stored_at, *before.last_stored_at) << "the clock was set back across the restart";
}

TEST_F(SqliteEventLogTest, EachLogHasItsOwnId) {
  const auto log = OpenLog();
  auto other = LogOptions();
  other.data_dir = temp_.path() + "/other";
  const auto second = SqliteEventLog::Open(other);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_NE(log->Info().log_id, (*second)->Info().log_id);
}

TEST_F(SqliteEventLogTest, FolderAndFilesArePrivate) {
  const auto log = OpenLogWith(1);
  struct stat info{};
  ASSERT_EQ(stat(data_dir_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  for (const char* name : {"/events.db", "/events.db-wal", "/events.db-shm", "/lock"}) {
    ASSERT_EQ(stat((data_dir_ + name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 0777, 0600u) << name;
  }
}

TEST_F(SqliteEventLogTest, ASecondServerIsRefusedUntilTheFirstHasGone) {
  auto log = OpenLog();
  const auto second = SqliteEventLog::Open(LogOptions());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("another refund-relay holds"));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(data_dir_));
  log.reset();
  EXPECT_TRUE(SqliteEventLog::Open(LogOptions()).ok());
}

TEST_F(SqliteEventLogTest, ANewerSchemaIsRefusedAndLeftAlone) {
  OpenLogWith(1).reset();
  RunSql("UPDATE meta SET value = 99 WHERE key = 'schema_version'");
  const auto refused = SqliteEventLog::Open(LogOptions());
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("written by a newer refund-relay (schema version 99"));
  RunSql(absl::StrCat("UPDATE meta SET value = ", kSchemaVersion, " WHERE key = 'schema_version'"));
  EXPECT_EQ(OpenLog()->Info().last.sequence, 1u);
}

TEST_F(SqliteEventLogTest, AnOlderSchemaIsMigratedWithItsEvents) {
  constexpr int kEvents = 2500;
  {
    const auto log = OpenLog();
    Answers answers;
    for (int i = 1; i <= kEvents; ++i) log->Append(MakeEvent(absl::StrCat("e", i)), answers.Next());
    answers.Wait();
  }
  RunSql(
      "DROP TABLE positions; DROP TABLE quarantine; DROP TABLE refund_index; DROP TABLE trim_marks;"
      "DELETE FROM meta WHERE key = 'forgotten_sequence'; UPDATE meta SET value = 1 WHERE key = 'schema_version'");
  const auto log = OpenLog();
  EXPECT_EQ(log->Info().last.sequence, static_cast<uint64_t>(kEvents));
  EXPECT_TRUE(log->positions().List().empty());
  EXPECT_EQ(log->quarantine().Info().webhooks, 0u);
  for (const uint64_t sequence : {1u, 1024u, 1025u, 2499u}) {  // indexed on the way
    std::vector<uint64_t> found;
    const auto through = log->FindByRefund(RefundIdKind::kPaymentGatewayRefundId, absl::StrCat("rfnd_e", sequence), {},
                                           {}, [&](const StoredEvent& event) { found.push_back(event.sequence); });
    ASSERT_TRUE(through.ok()) << through.status();
    EXPECT_EQ(found, std::vector<uint64_t>{sequence});
  }
}

TEST_F(SqliteEventLogTest, RememberedIdsDoNotCountAsSize) {
  const auto log = OpenLog();
  Answers answers;
  const std::string id_end(40, 'x');  // as long as real ones
  for (int i = 0; i < 3000; ++i) log->Append(MakeEvent(absl::StrCat("e", 10'000 + i, id_end)), answers.Next());
  answers.Wait();
  TrimRequest request;
  request.stored_before = absl::InfiniteFuture();
  request.max_events = 2990;
  ASSERT_TRUE(TrimAndWait(*log, request).ok());
  request = TrimRequest();
  request.max_bytes = 100'000;  // the ids take more
  const auto trimmed = TrimAll(*log, request);
  ASSERT_TRUE(trimmed.ok()) << trimmed.status();
  EXPECT_EQ(*trimmed, 0u);
  EXPECT_EQ(log->Info().first_sequence, 2991u);
}

TEST_F(SqliteEventLogTest, AnEventThatIsDamagedOrGoneIsNotPassedOverByALookUp) {
  const auto log = OpenLogWith(5);
  const auto look_up = [&](LogPosition after) {
    return log->FindByRefund(RefundIdKind::kRefundId, "refund-e3", after, {}, [](const StoredEvent&) {}).status();
  };
  RunSql("UPDATE events SET checksum = 0 WHERE sequence = 3");
  EXPECT_EQ(ReasonText(look_up({})), "CHECKSUM sequence=3");
  EXPECT_TRUE(look_up({3, 0}).ok());
}

TEST_F(SqliteEventLogTest, ADamagedEventIsDeletedWithTheNextThatIsWhole) {
  const auto log = OpenLogWith(5);
  RunSql("UPDATE events SET checksum = 0 WHERE sequence IN (1, 3)");
  TrimRequest request;
  request.stored_before = start_ + absl::Seconds(3);
  auto outcome = TrimAndWait(*log, request);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->events.size(), 2u) << "3 may be younger";
  EXPECT_EQ(outcome->events[0].event_name, "");
  EXPECT_EQ(outcome->events[1].event_name, "refunded.pass");
  request.stored_before = start_ + absl::Seconds(4) + absl::Microseconds(1);
  outcome = TrimAndWait(*log, request);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->events.size(), 2u);
  EXPECT_EQ(log->Info().first_sequence, 5u);
  EXPECT_EQ(*log->PositionAt(4), (LogPosition{4, EventHash("e4")}));
}

TEST_F(SqliteEventLogTest, ADamagedTimeDoesNotStopRetention) {
  OpenLogWith(3).reset();
  RunSql("UPDATE events SET stored_at = 9000000000000000 WHERE sequence = 1");
  const auto log = OpenLog();
  clock_.Advance(absl::Hours(2));
  ASSERT_TRUE(AppendAndWait(*log, MakeEvent("e4")).ok());
  Retention::Options options;
  options.age = absl::Hours(1);
  options.clock = &clock_;
  Retention(*log, options).RunOnce();
  EXPECT_EQ(log->Info().first_sequence, 4u);
}

TEST_F(SqliteEventLogTest, ATrimThatMeetsDamageFailsAloneAndWebhooksGoOn) {
  const auto log = OpenLogWith(8);
  RunSql("UPDATE events SET checksum = 0 WHERE sequence <= 4");
  TrimRequest request;
  request.stored_before = absl::Now();
  request.max_events = 4;
  Gate gate;
  log->StartTail([&gate, first = true](absl::Span<const StoredEvent>) mutable {
    if (std::exchange(first, false)) gate.Pass();
  });
  Answers answers;
  log->Append(MakeEvent("holds-the-writer"), answers.Next());
  gate.AwaitArrival();
  Answer<absl::StatusOr<TrimOutcome>> trimmed;
  log->Append(MakeEvent("before"), answers.Next());
  log->Trim(request, trimmed.Callback());
  log->Append(MakeEvent("after"), answers.Next());
  gate.Open();
  for (const auto& outcome : answers.Wait()) EXPECT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(trimmed.Wait().status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(log->Info().first_sequence, 1u);
  EXPECT_TRUE(log->Health().ok());
}

TEST_F(SqliteEventLogTest, AForeignDatabaseIsRefused) {
  OpenLog().reset();
  RunSql("DROP TABLE meta");
  const auto refused = SqliteEventLog::Open(LogOptions());
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("something other than refund-relay"));
}

TEST_F(SqliteEventLogTest, OpeningWaitsForAReaderOfAnotherProcessAndThenNamesTheCause) {
  sqlite3* reader = nullptr;
  {
    const auto log = OpenLogWith(2);
    ASSERT_EQ(sqlite3_open((data_dir_ + "/events.db").c_str(), &reader), SQLITE_OK);
    // A snapshot that needs the write-ahead log: it keeps the log from being emptied.
    ASSERT_EQ(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM events", nullptr, nullptr, nullptr), SQLITE_OK);
    ASSERT_TRUE(AppendAndWait(*log, MakeEvent("e3")).ok());
  }
  auto options = LogOptions();
  options.open_reader_wait = absl::Milliseconds(50);
  const auto refused = SqliteEventLog::Open(options);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("another process has been reading or writing"));
  ASSERT_EQ(sqlite3_exec(reader, "COMMIT", nullptr, nullptr, nullptr), SQLITE_OK);
  const auto opened = SqliteEventLog::Open(options);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ((*opened)->Info().last.sequence, 3u);
  sqlite3_close(reader);
}

TEST_F(SqliteEventLogTest, ADamagedRecordIsReportedAndAfterItReadingGoesOn) {
  for (const char* damage :
       {"event = CAST('forged' AS BLOB)", "stored_at = stored_at + 1", "refund_id = 'x'", "checksum = checksum + 1",
        "event_id = event_name, event_name = event_id", "client_id = '', payment_gateway_refund_id = client_id"}) {
    SCOPED_TRACE(damage);
    TempDir temp;
    auto options = LogOptions();
    options.data_dir = data_dir_;
    auto log = OpenLog();
    for (int i = 1; i <= 4; ++i) ASSERT_TRUE(AppendAndWait(*log, MakeEvent(absl::StrCat("e", i))).ok());
    RunSql(absl::StrCat("UPDATE events SET ", damage, " WHERE sequence = 3"));

    std::vector<uint64_t> seen;
    const auto first = log->Read({}, {}, ReadLimits(), [&](const StoredEvent& e) { seen.push_back(e.sequence); });
    ASSERT_TRUE(first.ok()) << first.status();
    EXPECT_EQ(*first, (LogPosition{2, EventHash("e2")}));
    EXPECT_EQ(seen, (std::vector<uint64_t>{1, 2}));
    const absl::Status damaged = ReadFrom(*log, *first);
    EXPECT_EQ(damaged.code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(ReasonText(damaged), "CHECKSUM sequence=3");
    const auto past = log->Read({3, 0}, {}, ReadLimits(), [&](const StoredEvent& e) { seen.push_back(e.sequence); });
    ASSERT_TRUE(past.ok()) << past.status();
    EXPECT_EQ(past->sequence, 4u);
    EXPECT_EQ(seen, (std::vector<uint64_t>{1, 2, 4}));

    // The hash of a damaged record is unknown, so no position there can be wrong.
    const auto at = log->PositionAt(3);
    ASSERT_TRUE(at.ok()) << at.status();
    EXPECT_EQ(*at, (LogPosition{3, 0}));
    EXPECT_TRUE(ReadFrom(*log, {3, 12345}).ok());
    EXPECT_EQ(ReasonText(log->Find("e3").status()), "CHECKSUM sequence=3");
    log.reset();
    std::filesystem::remove_all(data_dir_);
  }
}

TEST_F(SqliteEventLogTest, AMissingRecordIsNeverSkipped) {
  const auto log = OpenLogWith(5);
  RunSql("DELETE FROM events WHERE sequence IN (2, 3)");
  EXPECT_TRUE(ReadFrom(*log, {0, 0}).ok());
  const absl::Status missing = ReadFrom(*log, {1, 0});
  EXPECT_EQ(missing.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ReasonText(missing), "CHECKSUM sequence=2");
  EXPECT_THAT(std::string(missing.message()), HasSubstr("missing"));
  EXPECT_EQ(ReasonText(ReadFrom(*log, {2, 0})), "CHECKSUM sequence=3");
  EXPECT_TRUE(ReadFrom(*log, {3, 0}).ok());
  EXPECT_EQ(ReasonText(log->Find("e2").status()), "CHECKSUM sequence=2");
  EXPECT_EQ(*log->PositionAt(2), (LogPosition{2, 0}));
}

TEST_F(SqliteEventLogTest, MissingFirstRecordsAreNotTakenForTrimmedOnes) {
  OpenLogWith(3).reset();
  RunSql("DELETE FROM events WHERE sequence = 1");
  const auto log = OpenLog();
  EXPECT_EQ(log->Info().first_sequence, 1u);
  EXPECT_EQ(ReasonText(ReadFrom(*log, {})), "CHECKSUM sequence=1");
  EXPECT_TRUE(ReadFrom(*log, {1, 0}).ok());
}

TEST_F(SqliteEventLogTest, ATimeIsFoundAmongDamagedRecordsWithoutPassingOverThem) {
  const auto log = OpenLogWith(8);  // event i is stored at start + i seconds
  RunSql("UPDATE events SET checksum = 0, stored_at = 0 WHERE sequence IN (4, 5)");
  EXPECT_EQ(log->PositionBefore(start_ + absl::Seconds(4))->sequence, 3u);
  EXPECT_EQ(log->PositionBefore(start_ + absl::Seconds(6))->sequence, 3u) << "4 and 5 may be later: they must be met";
  EXPECT_EQ(log->PositionBefore(start_ + absl::Seconds(7))->sequence, 6u);
  EXPECT_EQ(log->PositionBefore(start_ + absl::Seconds(9))->sequence, 8u);
}

TEST_F(SqliteEventLogTest, ADamagedLastRecordDoesNotMoveTheClock) {
  OpenLogWith(3).reset();
  RunSql("UPDATE events SET stored_at = stored_at + 1000000000000 WHERE sequence = 3");
  const auto log = OpenLog();
  EXPECT_EQ(log->Info().last, (LogPosition{3, 0}));
  clock_.Advance(absl::Seconds(1));
  ASSERT_TRUE(AppendAndWait(*log, MakeEvent("e4")).ok());
  EXPECT_EQ(log->Info().last_stored_at, clock_.Now());
  EXPECT_EQ(log->Info().last, (LogPosition{4, EventHash("e4")}));
}

TEST_F(SqliteEventLogTest, ATrimmedLogStartsWhereRetentionEnded) {
  OpenLogWith(6).reset();
  Trim(3, start_ + absl::Seconds(3));
  const auto log = OpenLog();
  EXPECT_EQ(log->Info().first_sequence, 4u);
  EXPECT_EQ(log->Info().first_stored_at, start_ + absl::Seconds(4));

  // Just before the first event is a place to read from; its hash is still known.
  EXPECT_TRUE(ReadFrom(*log, {3, EventHash("e3")}).ok());
  EXPECT_EQ(*log->PositionAt(3), (LogPosition{3, EventHash("e3")}));
  EXPECT_EQ(ReasonText(ReadFrom(*log, {3, EventHash("e2")})), "POSITION_MISMATCH");
  for (const uint64_t old : {0u, 1u, 2u}) {
    EXPECT_EQ(ReadFrom(*log, {old, 0}).code(), absl::StatusCode::kOutOfRange);
    EXPECT_EQ(ReasonText(ReadFrom(*log, {old, 0})), "POSITION_EXPIRED first_sequence=4");
    EXPECT_EQ(ReasonText(log->PositionAt(old).status()), "POSITION_EXPIRED first_sequence=4");
  }

  const auto expired = log->PositionBefore(start_ + absl::Seconds(3));
  EXPECT_EQ(expired.status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(ReasonText(expired.status()), "POSITION_EXPIRED first_sequence=4");
  const auto whole = log->PositionBefore(start_ + absl::Seconds(3) + absl::Microseconds(1));
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(*whole, (LogPosition{3, EventHash("e3")}));

  // Its id is remembered: known, gone, still a duplicate.
  EXPECT_EQ(log->Find("e2").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonText(log->Find("e2").status()), "EVENT_EXPIRED sequence=2");
  EXPECT_TRUE(log->Find("e4").ok());
  const auto again = AppendAndWait(*log, MakeEvent("e2"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->sequence, 2u);
}

TEST_F(SqliteEventLogTest, ALogTrimmedToNothingGoesOnAfterItsLastSequence) {
  OpenLogWith(4).reset();
  Trim(4, start_ + absl::Hours(1));
  const auto log = OpenLog();
  EXPECT_EQ(log->Info().first_sequence, 5u);
  EXPECT_EQ(log->Info().last, (LogPosition{4, EventHash("e4")}));
  EXPECT_FALSE(log->Info().first_stored_at.has_value());
  const auto seen = ReadAll(*log, {4, 0});
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_TRUE(seen->empty());
  const auto next = AppendAndWait(*log, MakeEvent("e5"));
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(next->sequence, 5u);
  EXPECT_EQ(log->Info().first_stored_at, start_ + absl::Hours(1)) << "not before the trimmed one";
}

TEST_F(SqliteEventLogTest, TheWriteAheadLogIsMovedIntoTheDatabaseWithoutAReader) {
  const auto log = OpenLogWith(0);
  const uint64_t empty = log->Info().log_bytes;
  for (int i = 0; i < 64; ++i) {
    ASSERT_TRUE(AppendAndWait(*log, MakeEvent(absl::StrCat("e", i), "n", "c", 10'000)).ok());
  }
  const absl::Time deadline = absl::Now() + kTestDeadline;
  while (log->Info().log_bytes < empty + 600'000 && absl::Now() < deadline) std::this_thread::yield();
  EXPECT_GE(log->Info().log_bytes, empty + 600'000);
}

TEST_F(SqliteEventLogTest, TheWriteAheadLogStaysBoundedUnderConstantLoad) {
  const auto log = OpenLog();
  Answers answers;
  constexpr int kEvents = 2000;
  constexpr size_t kBytes = 60'000;  // 120 MB in all
  for (int i = 0; i < kEvents; ++i) {
    log->Append(MakeEvent(absl::StrCat("e", 100'000 + i), "n", "c", kBytes), answers.Next());
    while (log->Info().queued_events > 200) std::this_thread::yield();
  }
  for (const auto& outcome : answers.Wait()) ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_LT(log->Info().wal_bytes, uint64_t{60} << 20);
}

}  // namespace
}  // namespace refund_relay
