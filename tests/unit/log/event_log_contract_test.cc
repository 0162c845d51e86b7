// The contract of EventLog, run over every log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/log/event_log.h"
#include "server/log/memory_event_log.h"
#include "server/log/sqlite_event_log.h"
#include "tests/testing/log_probe.h"
#include "tests/testing/manual_clock.h"
#include "tests/testing/temp_dir.h"

namespace refund_relay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

enum class Kind { kSqlite, kMemory };

class EventLogContractTest : public ::testing::TestWithParam<Kind> {
 protected:
  std::unique_ptr<EventLog> OpenLog(LogLimits limits = {}) {
    if (GetParam() == Kind::kMemory) {
      MemoryEventLog::Options options;
      options.clock = &clock_;
      options.limits = limits;
      return std::make_unique<MemoryEventLog>(options);
    }
    SqliteEventLog::Options options;
    options.data_dir = dir_.path();
    options.clock = &clock_;
    options.limits = limits;
    auto log = SqliteEventLog::Open(options);
    EXPECT_TRUE(log.ok()) << log.status();
    return log.ok() ? *std::move(log) : nullptr;
  }

  // Holds the writer inside the tail's visitor of the first commit until `gate` opens, so that what is appended
  // meanwhile becomes one batch.
  static void HoldFirstCommit(EventLog& log, Gate& gate) {
    log.StartTail([&gate, first = true](absl::Span<const StoredEvent>) mutable {
      if (std::exchange(first, false)) gate.Pass();
    });
    log.Append(MakeEvent("holds-the-writer"), [](const absl::StatusOr<AppendOutcome>&) {});
    gate.AwaitArrival();
  }

  TempDir dir_;
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'000)};
};

INSTANTIATE_TEST_SUITE_P(Logs, EventLogContractTest, ::testing::Values(Kind::kSqlite, Kind::kMemory),
                         [](const auto& param) { return param.param == Kind::kSqlite ? "Sqlite" : "Memory"; });

TEST_P(EventLogContractTest, AnEmptyLogHasNoEventAndItsEndIsZero) {
  const auto log = OpenLog();
  const LogInfo info = log->Info();
  EXPECT_EQ(info.first_sequence, 1u);
  EXPECT_EQ(info.last, LogPosition());
  EXPECT_FALSE(info.first_stored_at.has_value());
  EXPECT_FALSE(info.last_stored_at.has_value());
  EXPECT_EQ(info.log_id.size(), 36u);
  const auto seen = ReadAll(*log);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_TRUE(seen->empty());
  EXPECT_TRUE(log->Health().ok());
}

TEST_P(EventLogContractTest, AppendsAreReadBackWholeInOrder) {
  const auto log = OpenLog();
  for (int i = 1; i <= 5; ++i) {
    const auto outcome = AppendAndWait(*log, MakeEvent(absl::StrCat("e", i), "refunded.pass", absl::StrCat("c", i)));
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_EQ(outcome->sequence, static_cast<uint64_t>(i));
    EXPECT_FALSE(outcome->duplicate);
  }
  const auto seen = ReadAll(*log);
  ASSERT_TRUE(seen.ok()) << seen.status();
  ASSERT_EQ(seen->size(), 5u);
  for (int i = 1; i <= 5; ++i) {
    const SeenEvent& event = (*seen)[static_cast<size_t>(i - 1)];
    const NewEvent sent = MakeEvent(absl::StrCat("e", i));
    EXPECT_EQ(event.sequence, static_cast<uint64_t>(i));
    EXPECT_EQ(event.stored_at, clock_.Now());
    EXPECT_EQ(event.event_id, sent.event_id);
    EXPECT_EQ(event.event_name, "refunded.pass");
    EXPECT_EQ(event.client_id, absl::StrCat("c", i));
    EXPECT_EQ(event.event, sent.event);
  }
  const LogInfo info = log->Info();
  EXPECT_EQ(info.first_sequence, 1u);
  EXPECT_EQ(info.last, (LogPosition{5, EventHash("e5")}));
  EXPECT_EQ(info.first_stored_at, clock_.Now());
  EXPECT_EQ(info.queued_events, 0u);
  EXPECT_EQ(info.queued_bytes, 0u);
}

TEST_P(EventLogContractTest, ColumnsMayBeEmptyOrHoldAnyByte) {
  const auto log = OpenLog();
  NewEvent event = MakeEvent("e1", "refunded.x", "");
  event.payment_gateway_refund_id.clear();
  event.event = std::string("a\0b\xff", 4);
  event.refund_id = std::string("r\0\xfe", 3);
  ASSERT_TRUE(AppendAndWait(*log, event).ok());
  event.event_id = "e2";
  event.event.clear();
  ASSERT_TRUE(AppendAndWait(*log, event).ok());
  const auto seen = ReadAll(*log);
  ASSERT_TRUE(seen.ok()) << seen.status();
  ASSERT_EQ(seen->size(), 2u);
  EXPECT_EQ((*seen)[0].event, std::string("a\0b\xff", 4));
  EXPECT_EQ((*seen)[0].client_id, "");
  EXPECT_EQ((*seen)[1].event, "");
}

TEST_P(EventLogContractTest, ADuplicateNamesItsFirstCopyAcrossCommits) {
  const auto log = OpenLog();
  ASSERT_TRUE(AppendAndWait(*log, MakeEvent("a")).ok());
  ASSERT_TRUE(AppendAndWait(*log, MakeEvent("b")).ok());
  const auto again = AppendAndWait(*log, MakeEvent("a", "refunded.other"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->sequence, 1u);
  EXPECT_TRUE(again->duplicate);
  const auto next = AppendAndWait(*log, MakeEvent("c"));
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(next->sequence, 3u) << "a duplicate must take no sequence";
}

TEST_P(EventLogContractTest, ADuplicateWithinACommitIsAnsweredAfterTheTailSawItsFirstCopy) {
  const auto log = OpenLog();
  Gate gate;
  std::atomic<uint64_t> shown = 0;
  log->StartTail([&](absl::Span<const StoredEvent> events) {
    if (events.front().sequence == 1) gate.Pass();
    shown = events.back().sequence;
  });
  log->Append(MakeEvent("holds-the-writer"), [](const absl::StatusOr<AppendOutcome>&) {});
  gate.AwaitArrival();
  std::atomic<uint64_t> shown_when_answered = 0;
  Answers answers;
  log->Append(MakeEvent("twin"), answers.Next());
  log->Append(MakeEvent("twin"), [&, done = answers.Next()](absl::StatusOr<AppendOutcome> outcome) mutable {
    shown_when_answered = shown.load();
    done(std::move(outcome));
  });
  log->Append(MakeEvent("other"), answers.Next());
  gate.Open();
  const auto outcomes = answers.Wait();
  for (const auto& outcome : outcomes) ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcomes[0]->sequence, 2u);
  EXPECT_FALSE(outcomes[0]->duplicate);
  EXPECT_EQ(outcomes[1]->sequence, 2u);
  EXPECT_TRUE(outcomes[1]->duplicate);
  EXPECT_EQ(outcomes[2]->sequence, 3u);
  EXPECT_GE(shown_when_answered.load(), 2u);
}

TEST_P(EventLogContractTest, WhatWaitsSharesOneCommit) {
  const auto log = OpenLog();
  Gate gate;
  std::vector<size_t> commits;
  log->StartTail([&](absl::Span<const StoredEvent> events) {
    commits.push_back(events.size());
    if (commits.size() == 1) gate.Pass();
  });
  Answers answers;
  log->Append(MakeEvent("first"), answers.Next());
  gate.AwaitArrival();
  for (int i = 0; i < 50; ++i) log->Append(MakeEvent(absl::StrCat("e", i)), answers.Next());
  gate.Open();
  for (const auto& outcome : answers.Wait()) EXPECT_TRUE(outcome.ok()) << outcome.status();
  ASSERT_TRUE(log->Close(absl::InfiniteFuture()).ok());
  EXPECT_THAT(commits, ElementsAre(1u, 50u));
}

TEST_P(EventLogContractTest, ACommitHoldsNoMoreThanItsLimits) {
  LogLimits limits;
  limits.max_batch_events = 4;
  const auto log = OpenLog(limits);
  Gate gate;
  std::vector<size_t> commits;
  log->StartTail([&](absl::Span<const StoredEvent> events) {
    commits.push_back(events.size());
    if (commits.size() == 1) gate.Pass();
  });
  Answers answers;
  log->Append(MakeEvent("first"), answers.Next());
  gate.AwaitArrival();
  for (int i = 0; i < 10; ++i) log->Append(MakeEvent(absl::StrCat("e", i)), answers.Next());
  gate.Open();
  answers.Wait();
  ASSERT_TRUE(log->Close(absl::InfiniteFuture()).ok());
  EXPECT_THAT(commits, ElementsAre(1u, 4u, 4u, 2u));
}

TEST_P(EventLogContractTest, AFullQueueRefusesAtOnceAndTakesMoreOnceItIsDrained) {
  LogLimits limits;
  limits.queue_limit_events = 3;
  const auto log = OpenLog(limits);
  Gate gate;
  HoldFirstCommit(*log, gate);
  Answers answers;
  for (int i = 0; i < 3; ++i) log->Append(MakeEvent(absl::StrCat("e", i)), answers.Next());
  EXPECT_EQ(log->Info().queued_events, 3u);
  EXPECT_GT(log->Info().queued_bytes, 0u);
  EXPECT_EQ(log->Info().queue_limit_events, 3u);
  const auto refused = AppendAndWait(*log, MakeEvent("too-many"));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("queue is full"));
  gate.Open();
  for (const auto& outcome : answers.Wait()) EXPECT_TRUE(outcome.ok()) << outcome.status();
  const auto later = AppendAndWait(*log, MakeEvent("too-many"));
  ASSERT_TRUE(later.ok()) << later.status();
  EXPECT_FALSE(later->duplicate) << "a refused event must not have been stored";
}

TEST_P(EventLogContractTest, TheQueueIsBoundedInBytesTooButALargeEventGoesAlone) {
  LogLimits limits;
  limits.queue_limit_bytes = 10'000;
  const auto log = OpenLog(limits);
  Gate gate;
  HoldFirstCommit(*log, gate);
  Answers answers;
  log->Append(MakeEvent("large", "refunded.pass", "c", 50'000), answers.Next());
  const auto refused = AppendAndWait(*log, MakeEvent("small"));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  gate.Open();
  EXPECT_TRUE(answers.Wait().front().ok());
  EXPECT_TRUE(AppendAndWait(*log, MakeEvent("small")).ok());
}

TEST_P(EventLogContractTest, StoredAtNeverFallsThoughTheClockJumpsBack) {
  const auto log = OpenLog();
  const absl::Time start = clock_.Now();
  const absl::Duration jumps[] = {absl::Seconds(5), absl::Hours(-3), absl::Milliseconds(1), absl::Hours(4)};
  for (int i = 0; i < 4; ++i) {
    clock_.Advance(jumps[i]);
    ASSERT_TRUE(AppendAndWait(*log, MakeEvent(absl::StrCat("e", i))).ok());
  }
  const auto seen = ReadAll(*log);
  ASSERT_TRUE(seen.ok()) << seen.status();
  std::vector<absl::Time> times;
  for (const SeenEvent& event : *seen) times.push_back(event.stored_at);
  const absl::Time high = start + absl::Seconds(5);
  EXPECT_THAT(times, ElementsAre(high, high, high, clock_.Now()));
  EXPECT_EQ(log->Info().last_stored_at, clock_.Now());
}

TEST_P(EventLogContractTest, ReadTakesOnlyWhatMatchesAndTellsHowFarItLooked) {
  const auto log = OpenLog();
  const std::pair<const char*, const char*> kinds[] = {
      {"refunded.pass", "c1"}, {"refunded.subscription", "c1"}, {"refunded.pass", "c2"}, {"refunded.bundle", ""}};
  for (int i = 0; i < 8; ++i) {
    const auto& [name, client] = kinds[i % 4];
    ASSERT_TRUE(AppendAndWait(*log, MakeEvent(absl::StrCat("e", i + 1), name, client)).ok());
  }
  const auto sequences = [&](const EventFilter& filter) {
    std::vector<uint64_t> found;
    const auto last = log->Read({}, filter, ReadLimits(), [&](const StoredEvent& e) { found.push_back(e.sequence); });
    EXPECT_TRUE(last.ok()) << last.status();
    EXPECT_EQ(last.value_or(LogPosition{}), (LogPosition{8, EventHash("e8")}));
    return found;
  };
  EXPECT_THAT(sequences({{"refunded.pass"}, {}}), ElementsAre(1u, 3u, 5u, 7u));
  EXPECT_THAT(sequences({{"refunded.pass"}, {"c2"}}), ElementsAre(3u, 7u));
  EXPECT_THAT(sequences({{}, {"c1"}}), ElementsAre(1u, 2u, 5u, 6u));
  EXPECT_THAT(sequences({{"refunded.bundle", "refunded.subscription"}, {}}), ElementsAre(2u, 4u, 6u, 8u));
  EXPECT_THAT(sequences({{}, {""}}), ElementsAre(4u, 8u));
  EXPECT_THAT(sequences({{"refunded.nothing"}, {}}), ElementsAre());
}

TEST_P(EventLogContractTest, ReadKeepsItsLimitsAndAlwaysMoves) {
  const auto log = OpenLog();
  for (int i = 1; i <= 10; ++i) {
    ASSERT_TRUE(AppendAndWait(*log, MakeEvent(absl::StrCat("e", i), i % 2 == 0 ? "even" : "odd")).ok());
  }
  struct Case {
    ReadLimits limits;
    uint64_t scanned_to;
    size_t matched;
  };
  const EventFilter even{{"even"}, {}};
  const Case cases[] = {
      {{256, 1 << 20, 3}, 3, 1},   // three looked at
      {{2, 1 << 20, 4096}, 4, 2},  // the second match ends it
      {{256, 200, 4096}, 5, 2},    // two events of 100 bytes; the third match is left for the next read
      {{256, 1, 4096}, 3, 1},      // one larger event goes alone
      {{0, 0, 0}, 1, 0},           // however small, one is looked at
  };
  for (const Case& c : cases) {
    size_t matched = 0;
    const auto last = log->Read({}, even, c.limits, [&](const StoredEvent&) { ++matched; });
    ASSERT_TRUE(last.ok()) << last.status();
    EXPECT_EQ(last->sequence, c.scanned_to);
    EXPECT_EQ(last->event_hash, EventHash(absl::StrCat("e", c.scanned_to)));
    EXPECT_EQ(matched, c.matched);
  }
}

TEST_P(EventLogContractTest, ReadChecksThePositionItStartsFrom) {
  const auto log = OpenLog();
  for (int i = 1; i <= 3; ++i) ASSERT_TRUE(AppendAndWait(*log, MakeEvent(absl::StrCat("e", i))).ok());
  const auto read = [&](LogPosition after) {
    return log->Read(after, {}, ReadLimits(), [](const StoredEvent&) {}).status();
  };
  EXPECT_TRUE(read({2, EventHash("e2")}).ok());
  EXPECT_TRUE(read({2, 0}).ok()) << "0 is not checked";
  EXPECT_TRUE(read({3, EventHash("e3")}).ok());
  EXPECT_EQ(read({2, EventHash("e3")}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonText(read({2, EventHash("e3")})), "POSITION_MISMATCH");
  EXPECT_EQ(read({4, 0}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonText(read({4, 0})), "POSITION_AHEAD");
  EXPECT_EQ(ReasonText(read({~uint64_t{0}, 0})), "POSITION_AHEAD");
  const auto at_end = log->Read({3, 0}, {}, ReadLimits(), [](const StoredEvent&) {});
  ASSERT_TRUE(at_end.ok()) << at_end.status();
  EXPECT_EQ(*at_end, (LogPosition{3, 0})) << "nothing was scanned: the position given";
}

TEST_P(EventLogContractTest, PositionAtNamesTheEventThere) {
  const auto log = OpenLog();
  for (int i = 1; i <= 3; ++i) ASSERT_TRUE(AppendAndWait(*log, MakeEvent(absl::StrCat("e", i))).ok());
  const auto at = [&](uint64_t sequence) { return log->PositionAt(sequence); };
  ASSERT_TRUE(at(0).ok());
  EXPECT_EQ(*at(0), LogPosition());
  ASSERT_TRUE(at(2).ok());
  EXPECT_EQ(*at(2), (LogPosition{2, EventHash("e2")}));
  EXPECT_EQ(at(4).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonText(at(4).status()), "POSITION_AHEAD");
}

TEST_P(EventLogContractTest, PositionBeforeIsTheLastOneEarlierThanATime) {
  const auto log = OpenLog();
  const absl::Time start = clock_.Now();
  for (int i = 1; i <= 9; ++i) {  // stored at +1, +1, +1, +2, +2, +2, +3, +3, +3 seconds
    clock_.Set(start + absl::Seconds((i + 2) / 3));
    ASSERT_TRUE(AppendAndWait(*log, MakeEvent(absl::StrCat("e", i))).ok());
  }
  const auto before = [&](absl::Time time) {
    const auto position = log->PositionBefore(time);
    EXPECT_TRUE(position.ok()) << position.status();
    return position.ok() ? *position : LogPosition{~uint64_t{0}, 0};
  };
  EXPECT_EQ(before(absl::InfinitePast()), LogPosition());
  EXPECT_EQ(before(start), LogPosition());
  EXPECT_EQ(before(start + absl::Seconds(1)), LogPosition());
  EXPECT_EQ(before(start + absl::Seconds(1) + absl::Nanoseconds(1)), (LogPosition{3, EventHash("e3")}));
  EXPECT_EQ(before(start + absl::Seconds(2)), (LogPosition{3, EventHash("e3")}));
  EXPECT_EQ(before(start + absl::Seconds(3)), (LogPosition{6, EventHash("e6")}));
  EXPECT_EQ(before(start + absl::Seconds(4)), (LogPosition{9, EventHash("e9")}));
  EXPECT_EQ(before(absl::InfiniteFuture()), (LogPosition{9, EventHash("e9")}));
}

TEST_P(EventLogContractTest, FindKnowsAnEventByItsId) {
  const auto log = OpenLog();
  ASSERT_TRUE(AppendAndWait(*log, MakeEvent("a")).ok());
  ASSERT_TRUE(AppendAndWait(*log, MakeEvent("b")).ok());
  const auto found = log->Find("b");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->sequence, 2u);
  EXPECT_EQ(found->stored_at, clock_.Now());
  EXPECT_EQ(found->event, MakeEvent("b").event);
  const auto unknown = log->Find("c");
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonText(unknown.status()), "EVENT_UNKNOWN");
}

// Many threads append, some ids twice, while others read and one follows the tail from somewhere in the middle.
TEST_P(EventLogContractTest, ConcurrentAppendsReadsAndTailAgree) {
  constexpr int kThreads = 8;
  constexpr int kPerThread = 150;
  constexpr size_t kDistinct = size_t{kThreads} / 2 * kPerThread;
  const auto log = OpenLog();
  std::atomic<bool> appending = true;
  std::vector<std::thread> threads;
  std::vector<Answers> answers(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kPerThread; ++i) {  // two threads share each id
        log->Append(MakeEvent(absl::StrCat("t", t / 2, "-", i)), answers[static_cast<size_t>(t)].Next());
      }
      answers[static_cast<size_t>(t)].Wait();
    });
  }
  std::vector<std::thread> readers;
  std::atomic<int> broken_reads = 0;
  for (int r = 0; r < 6; ++r) {
    readers.emplace_back([&] {
      do {
        const auto seen = ReadAll(*log);
        if (!seen.ok()) {
          ++broken_reads;
          return;
        }
        for (size_t i = 0; i < seen->size(); ++i) broken_reads += (*seen)[i].sequence == i + 1 ? 0 : 1;
      } while (appending);
    });
  }
  std::vector<uint64_t> tail;
  const LogPosition start = log->StartTail([&](absl::Span<const StoredEvent> events) {
    for (const StoredEvent& event : events) tail.push_back(event.sequence);
  });
  for (std::thread& thread : threads) thread.join();
  appending = false;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(broken_reads, 0);

  std::multiset<uint64_t> stored;
  size_t duplicates = 0;
  for (Answers& thread_answers : answers) {
    EXPECT_EQ(thread_answers.repeated(), 0);
    for (const auto& outcome : thread_answers.Wait()) {
      ASSERT_TRUE(outcome.ok()) << outcome.status();
      if (outcome->duplicate) {
        ++duplicates;
      } else {
        stored.insert(outcome->sequence);
      }
    }
  }
  EXPECT_EQ(duplicates, kDistinct);
  ASSERT_EQ(stored.size(), kDistinct);
  EXPECT_EQ(*stored.begin(), 1u);
  EXPECT_EQ(*stored.rbegin(), kDistinct);
  EXPECT_EQ(std::set<uint64_t>(stored.begin(), stored.end()).size(), kDistinct);

  ASSERT_TRUE(log->Close(absl::InfiniteFuture()).ok());
  ASSERT_EQ(tail.size(), kDistinct - start.sequence);
  for (size_t i = 0; i < tail.size(); ++i) ASSERT_EQ(tail[i], start.sequence + 1 + i);
}

// However the start falls between commits: the position and what the tail shows join without gap or double.
TEST_P(EventLogContractTest, TheTailJoinsThePositionWhereverItStarts) {
  for (int round = 0; round < 20; ++round) {
    TempDir dir;
    std::unique_ptr<EventLog> log;
    if (GetParam() == Kind::kMemory) {
      log = std::make_unique<MemoryEventLog>();
    } else {
      SqliteEventLog::Options options;
      options.data_dir = dir.path();
      auto opened = SqliteEventLog::Open(options);
      ASSERT_TRUE(opened.ok()) << opened.status();
      log = *std::move(opened);
    }
    Answers answers;
    std::atomic<int> appended = 0;
    std::thread appender([&] {
      for (int i = 0; i < 100; ++i) {
        log->Append(MakeEvent(absl::StrCat("e", i)), answers.Next());
        ++appended;
      }
    });
    while (appended < round * 5) std::this_thread::yield();
    std::vector<uint64_t> tail;
    const LogPosition start = log->StartTail([&](absl::Span<const StoredEvent> events) {
      for (const StoredEvent& event : events) tail.push_back(event.sequence);
    });
    appender.join();
    answers.Wait();
    ASSERT_TRUE(log->Close(absl::InfiniteFuture()).ok());
    ASSERT_EQ(tail.size(), 100 - start.sequence);
    for (size_t i = 0; i < tail.size(); ++i) ASSERT_EQ(tail[i], start.sequence + 1 + i);
  }
}

TEST_P(EventLogContractTest, CloseUnderLoadAnswersEveryAppendOnceAndKeepsWhatItAcknowledged) {
  auto log = OpenLog();
  std::atomic<uint64_t> last_shown = 0;
  log->StartTail([&](absl::Span<const StoredEvent> events) { last_shown = events.back().sequence; });
  constexpr int kThreads = 4;
  std::vector<Answers> answers(kThreads);
  std::vector<std::thread> threads;
  std::atomic<int> refused = 0;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; refused < kThreads; ++i) {
        log->Append(MakeEvent(absl::StrCat("t", t, "-", i)),
                    [&, done = answers[static_cast<size_t>(t)].Next()](absl::StatusOr<AppendOutcome> outcome) mutable {
                      if (absl::IsUnavailable(outcome.status())) ++refused;
                      done(std::move(outcome));
                    });
      }
    });
  }
  while (last_shown < 200) std::this_thread::yield();
  ASSERT_TRUE(log->Close(absl::InfiniteFuture()).ok());
  const uint64_t shown_at_close = last_shown;
  for (std::thread& thread : threads) thread.join();

  std::set<uint64_t> acknowledged;
  for (Answers& thread_answers : answers) {
    for (const auto& outcome : thread_answers.Wait()) {
      if (outcome.ok()) {
        EXPECT_TRUE(acknowledged.insert(outcome->sequence).second);
      } else {
        EXPECT_TRUE(absl::IsUnavailable(outcome.status()) || absl::IsResourceExhausted(outcome.status()))
            << outcome.status();
      }
    }
    EXPECT_EQ(thread_answers.repeated(), 0);
  }
  EXPECT_EQ(last_shown, shown_at_close) << "the tail must be silent after Close";
  ASSERT_FALSE(acknowledged.empty());
  EXPECT_EQ(acknowledged.size(), *acknowledged.rbegin());
  EXPECT_EQ(*acknowledged.rbegin(), shown_at_close);
  EXPECT_EQ(AppendAndWait(*log, MakeEvent("late")).status().code(), absl::StatusCode::kUnavailable);
  if (GetParam() == Kind::kSqlite) {
    log.reset();
    log = OpenLog();
    const auto seen = ReadAll(*log);
    ASSERT_TRUE(seen.ok()) << seen.status();
    EXPECT_EQ(seen->size(), acknowledged.size());
  }
}

TEST_P(EventLogContractTest, CloseWaitsForACallToTheTailAndAnswersWhatIsLeftAtItsDeadline) {
  const auto log = OpenLog();
  Gate gate;
  HoldFirstCommit(*log, gate);
  Answers answers;
  log->Append(MakeEvent("waits"), answers.Next());
  std::atomic<bool> closed = false;
  absl::Status status;
  std::thread closer([&] {
    status = log->Close(absl::Now());
    closed = true;
  });
  // Appends are refused once Close has begun.
  const auto refused = std::make_shared<std::atomic<bool>>(false);
  while (!*refused) {
    log->Append(MakeEvent("late"), [refused](const absl::StatusOr<AppendOutcome>& outcome) {
      if (absl::IsUnavailable(outcome.status())) *refused = true;
    });
    std::this_thread::yield();
  }
  EXPECT_FALSE(closed) << "a visit is under way";
  gate.Open();
  closer.join();
  // Whether the writer got to the last one before the deadline is a matter of luck; the answer must say which it was.
  const auto outcome = answers.Wait().front();
  if (status.ok()) {
    EXPECT_TRUE(outcome.ok()) << outcome.status();
  } else {
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_TRUE(outcome.ok() || absl::IsAborted(outcome.status())) << outcome.status();
  }
}

}  // namespace
}  // namespace refund_relay
