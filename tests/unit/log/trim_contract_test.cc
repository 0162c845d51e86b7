// Trimming and looking up by refund, run over every log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/log/event_log.h"
#include "server/log/memory_event_log.h"
#include "server/log/refund_index.h"
#include "server/log/sqlite_event_log.h"
#include "tests/testing/log_probe.h"
#include "tests/testing/manual_clock.h"
#include "tests/testing/temp_dir.h"

namespace refund_relay {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

enum class Kind { kSqlite, kMemory };

class TrimContractTest : public ::testing::TestWithParam<Kind> {
 protected:
  std::unique_ptr<EventLog> OpenLog() {
    if (GetParam() == Kind::kMemory) {
      MemoryEventLog::Options options;
      options.clock = &clock_;
      return std::make_unique<MemoryEventLog>(options);
    }
    SqliteEventLog::Options options;
    options.data_dir = dir_.path();
    options.clock = &clock_;
    auto log = SqliteEventLog::Open(options);
    EXPECT_TRUE(log.ok()) << log.status();
    return log.ok() ? *std::move(log) : nullptr;
  }

  // A log of events e1, e2, ... stored a second apart: e<i> at start + i seconds.
  std::unique_ptr<EventLog> OpenLogWith(int events, size_t bytes = 100) {
    auto log = OpenLog();
    for (int i = 1; i <= events; ++i) {
      clock_.Advance(absl::Seconds(1));
      EXPECT_TRUE(AppendAndWait(*log, MakeEvent(absl::StrCat("e", i), "refunded.pass", "c1", bytes)).ok());
    }
    return log;
  }

  // A request to delete e1 .. e<i>.
  TrimRequest Through(int i) const {
    TrimRequest request;
    request.stored_before = start_ + absl::Seconds(i) + absl::Microseconds(1);
    return request;
  }

  static absl::Status ReadFrom(EventLog& log, LogPosition after) {
    return log.Read(after, {}, ReadLimits(), [](const StoredEvent&) {}).status();
  }

  static std::vector<uint64_t> SequencesOf(EventLog& log, RefundIdKind which, const std::string& id,
                                           LogPosition after) {
    std::vector<uint64_t> sequences;
    for (;;) {
      const auto next = log.FindByRefund(which, id, after, ReadLimits(), [&](const StoredEvent& event) {
        EXPECT_EQ(event.event, MakeEvent(std::string(event.event_id)).event);
        sequences.push_back(event.sequence);
      });
      EXPECT_TRUE(next.ok()) << next.status();
      if (!next.ok() || next->sequence >= log.Info().last.sequence) return sequences;
      after = *next;
    }
  }

  TempDir dir_;
  const absl::Time start_ = absl::FromUnixSeconds(1'700'000'000);
  ManualClock clock_{start_};
};

INSTANTIATE_TEST_SUITE_P(Logs, TrimContractTest, ::testing::Values(Kind::kSqlite, Kind::kMemory),
                         [](const auto& param) { return param.param == Kind::kSqlite ? "Sqlite" : "Memory"; });

TEST_P(TrimContractTest, DeletesWhatWasStoredBeforeATimeAndSaysWhat) {
  const auto log = OpenLogWith(5);
  ASSERT_TRUE(AppendAndWait(*log, MakeEvent("e6", "refunded.other", "c2")).ok());
  const auto outcome = TrimAndWait(*log, Through(2));
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  ASSERT_EQ(outcome->events.size(), 2u);
  EXPECT_EQ(outcome->events[0].sequence, 1u);
  EXPECT_EQ(outcome->events[1].sequence, 2u);
  EXPECT_EQ(outcome->events[1].event_name, "refunded.pass");
  EXPECT_EQ(outcome->events[1].client_id, "c1");
  EXPECT_FALSE(outcome->more);
  EXPECT_EQ(log->Info().first_sequence, 3u);
  EXPECT_EQ(log->Info().first_stored_at, start_ + absl::Seconds(3));
  EXPECT_EQ(log->Info().last, (LogPosition{6, EventHash("e6")}));
  const auto seen = ReadAll(*log, {2, EventHash("e2")});
  ASSERT_TRUE(seen.ok()) << seen.status();
  ASSERT_EQ(seen->size(), 4u);
  EXPECT_EQ(seen->front().event_id, "e3");

  const auto nothing = TrimAndWait(*log, Through(2));
  ASSERT_TRUE(nothing.ok()) << nothing.status();
  EXPECT_THAT(nothing->events, IsEmpty());
}

TEST_P(TrimContractTest, WhatWasDeletedExpiresAndItsEdgeIsStillKnown) {
  const auto log = OpenLogWith(6);
  ASSERT_TRUE(TrimAndWait(*log, Through(3)).ok());
  EXPECT_TRUE(ReadFrom(*log, {3, EventHash("e3")}).ok());
  EXPECT_EQ(*log->PositionAt(3), (LogPosition{3, EventHash("e3")}));
  EXPECT_EQ(ReasonText(ReadFrom(*log, {3, EventHash("e2")})), "POSITION_MISMATCH");
  for (const uint64_t old : {0u, 1u, 2u}) {
    EXPECT_EQ(ReadFrom(*log, {old, 0}).code(), absl::StatusCode::kOutOfRange);
    EXPECT_EQ(ReasonText(ReadFrom(*log, {old, 0})), "POSITION_EXPIRED first_sequence=4");
    EXPECT_EQ(ReasonText(log->PositionAt(old).status()), "POSITION_EXPIRED first_sequence=4");
    const auto looked =
        log->FindByRefund(RefundIdKind::kRefundId, "refund-e5", {old, 0}, {}, [](const StoredEvent&) {});
    EXPECT_EQ(ReasonText(looked.status()), "POSITION_EXPIRED first_sequence=4");
  }
  EXPECT_EQ(ReasonText(log->StoredAt(3).status()), "POSITION_EXPIRED first_sequence=4");
  EXPECT_EQ(ReasonText(log->PositionBefore(start_ + absl::Seconds(3)).status()), "POSITION_EXPIRED first_sequence=4");
  const auto after_gap = log->PositionBefore(start_ + absl::Seconds(4));
  ASSERT_TRUE(after_gap.ok()) << after_gap.status();
  EXPECT_EQ(*after_gap, (LogPosition{3, EventHash("e3")}));
  EXPECT_EQ(log->Find("e3").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonText(log->Find("e3").status()), "EVENT_EXPIRED sequence=3");
  EXPECT_TRUE(log->Find("e4").ok());
}

TEST_P(TrimContractTest, AStepIsBoundedAndTheNextGoesOn) {
  const auto log = OpenLogWith(7);
  TrimRequest request = Through(7);
  request.max_events = 3;
  const auto first = TrimAndWait(*log, request);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->events.size(), 3u);
  EXPECT_TRUE(first->more);
  EXPECT_EQ(log->Info().first_sequence, 4u);
  const auto rest = TrimAll(*log, request);
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(*rest, 4u);
}

TEST_P(TrimContractTest, AnEmptiedLogGoesOnAfterItsLastSequence) {
  auto log = OpenLogWith(4);
  ASSERT_TRUE(TrimAll(*log, Through(4)).ok());
  for (int opened = 0; opened < (GetParam() == Kind::kSqlite ? 2 : 1); ++opened) {
    if (opened > 0) {
      log.reset();
      log = OpenLog();
    }
    EXPECT_EQ(log->Info().first_sequence, 5u);
    EXPECT_EQ(log->Info().last, (LogPosition{4, EventHash("e4")}));
    EXPECT_EQ(log->Info().last_stored_at, start_ + absl::Seconds(4));
    EXPECT_FALSE(log->Info().first_stored_at.has_value());
    EXPECT_TRUE(ReadFrom(*log, log->Info().last).ok()) << "LATEST";
    EXPECT_EQ(*log->PositionBefore(absl::InfiniteFuture()), (LogPosition{4, EventHash("e4")}));
  }
  clock_.Advance(absl::Seconds(1));
  const auto next = AppendAndWait(*log, MakeEvent("e5"));
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(next->sequence, 5u);
  EXPECT_EQ(log->Info().first_stored_at, start_ + absl::Seconds(5));
}

TEST_P(TrimContractTest, SizeDeletesTheOldestButNeverTheNewest) {
  const auto log = OpenLogWith(200, 3000);
  TrimRequest request;
  request.max_bytes = 400'000;
  const auto trimmed = TrimAll(*log, request);
  ASSERT_TRUE(trimmed.ok()) << trimmed.status();
  EXPECT_GT(*trimmed, 50u);
  EXPECT_LT(*trimmed, 150u);
  EXPECT_EQ(log->Info().first_sequence, *trimmed + 1);
  request.max_bytes = 1;
  ASSERT_TRUE(TrimAll(*log, request).ok());
  EXPECT_EQ(log->Info().first_sequence, 200u);
  EXPECT_TRUE(log->Find("e200").ok());
}

TEST_P(TrimContractTest, AWebhookThatComesAgainAfterItsEventIsADuplicate) {
  auto log = OpenLogWith(3);
  ASSERT_TRUE(TrimAll(*log, Through(2)).ok());
  for (int opened = 0; opened < (GetParam() == Kind::kSqlite ? 2 : 1); ++opened) {
    if (opened > 0) {
      log.reset();
      log = OpenLog();
    }
    const auto again = AppendAndWait(*log, MakeEvent("e2"));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE(again->duplicate);
    EXPECT_EQ(again->sequence, 2u);
  }
}

TEST_P(TrimContractTest, IdsAreForgottenInStepsButNeverThoseOfStoredEvents) {
  const auto log = OpenLogWith(9);
  TrimRequest request = Through(5);
  request.mark_interval = absl::ZeroDuration();
  request.max_events = 2;
  ASSERT_TRUE(TrimAll(*log, request).ok());  // steps of 2: ages are remembered at e2, e4, e5

  request.forget_before =
      start_ + absl::Seconds(4);  // e4 may not be forgotten, and so neither may what it is joined with
  size_t forgotten = 0;
  for (;;) {
    const auto outcome = TrimAndWait(*log, request);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_LE(outcome->forgotten_ids, 2u);
    EXPECT_THAT(outcome->events, IsEmpty());
    forgotten += outcome->forgotten_ids;
    if (!outcome->more) break;
  }
  EXPECT_GE(forgotten, 2u);
  EXPECT_EQ(ReasonText(log->Find("e1").status()), "EVENT_UNKNOWN");
  EXPECT_EQ(ReasonText(log->Find("e2").status()), "EVENT_UNKNOWN");
  EXPECT_EQ(ReasonText(log->Find("e4").status()), "EVENT_EXPIRED sequence=4");

  request.forget_before = absl::InfiniteFuture();
  ASSERT_TRUE(TrimAll(*log, request).ok());
  EXPECT_EQ(ReasonText(log->Find("e5").status()), "EVENT_UNKNOWN");
  for (int i = 6; i <= 9; ++i) {
    EXPECT_TRUE(log->Find(absl::StrCat("e", i)).ok());
    const auto again = AppendAndWait(*log, MakeEvent(absl::StrCat("e", i)));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE(again->duplicate);
  }
  const auto anew = AppendAndWait(*log, MakeEvent("e1"));
  ASSERT_TRUE(anew.ok()) << anew.status();
  EXPECT_FALSE(anew->duplicate);
  EXPECT_EQ(anew->sequence, 10u);
  EXPECT_EQ(log->Find("e1")->sequence, 10u);
}

TEST_P(TrimContractTest, TrimsAppendsAndReadsGoOnTogether) {
  const auto log = OpenLog();
  std::atomic<bool> appending = true;
  std::thread appender([&] {
    for (int i = 1; i <= 2000; ++i) {
      clock_.Advance(absl::Seconds(1));
      ASSERT_TRUE(AppendAndWait(*log, MakeEvent(absl::StrCat("e", i))).ok());
    }
    appending = false;
  });
  uint64_t trimmed = 0;
  std::thread trimmer([&] {
    while (appending) {
      TrimRequest request;
      request.stored_before = clock_.Now() - absl::Seconds(50);
      const auto outcome = TrimAndWait(*log, request);
      ASSERT_TRUE(outcome.ok()) << outcome.status();
      for (const TrimmedEvent& event : outcome->events) ASSERT_EQ(event.sequence, ++trimmed);
    }
  });
  int reads = 0;
  do {
    const uint64_t first = log->Info().first_sequence;
    const auto position = log->PositionAt(first - 1);
    if (!position.ok()) {
      ASSERT_TRUE(absl::IsOutOfRange(position.status())) << position.status();
      continue;
    }
    uint64_t last = position->sequence;
    const auto read =
        log->Read(*position, {}, ReadLimits(), [&](const StoredEvent& event) { ASSERT_EQ(event.sequence, ++last); });
    ASSERT_TRUE(read.ok() || absl::IsOutOfRange(read.status())) << read.status();
    ++reads;
  } while (appending);
  appender.join();
  trimmer.join();
  EXPECT_GT(reads, 0);
  EXPECT_GT(trimmed, 1000u);
  EXPECT_EQ(log->Info().first_sequence, trimmed + 1);
  EXPECT_EQ(log->Info().last.sequence, 2000u);
}

TEST_P(TrimContractTest, EventsOfARefundAreFoundInOrderAcrossBlocksAndRestarts) {
  constexpr int kEvents = static_cast<int>(2 * kRefundBlockEvents) + 100;
  auto log = OpenLog();
  Answers answers;
  for (int i = 1; i <= kEvents; ++i) {
    NewEvent event = MakeEvent(absl::StrCat("e", i));
    event.refund_id = absl::StrCat("r", i % 700);
    event.payment_gateway_refund_id = i % 2 == 0 ? absl::StrCat("g", i % 700) : "";
    log->Append(std::move(event), answers.Next());
  }
  for (const auto& outcome : answers.Wait()) ASSERT_TRUE(outcome.ok()) << outcome.status();
  for (int opened = 0; opened < (GetParam() == Kind::kSqlite ? 2 : 1); ++opened) {
    if (opened > 0) {
      log.reset();
      log = OpenLog();
    }
    EXPECT_THAT(SequencesOf(*log, RefundIdKind::kRefundId, "r7", {}), ElementsAre(7u, 707u, 1407u, 2107u));
    EXPECT_THAT(SequencesOf(*log, RefundIdKind::kRefundId, "r7", {707, 0}), ElementsAre(1407u, 2107u));
    EXPECT_THAT(SequencesOf(*log, RefundIdKind::kPaymentGatewayRefundId, "g8", {}),
                ElementsAre(8u, 708u, 1408u, 2108u));
    EXPECT_THAT(SequencesOf(*log, RefundIdKind::kPaymentGatewayRefundId, "g7", {}), IsEmpty());
    EXPECT_THAT(SequencesOf(*log, RefundIdKind::kPaymentGatewayRefundId, "r8", {}), IsEmpty());
    EXPECT_THAT(SequencesOf(*log, RefundIdKind::kRefundId, "unknown", {}), IsEmpty());
  }
  // A block that was begun before a restart is indexed when it fills.
  for (int i = kEvents + 1; i <= 3 * static_cast<int>(kRefundBlockEvents) + 5; ++i) {
    log->Append(MakeEvent(absl::StrCat("e", i)), answers.Next());
  }
  for (const auto& outcome : answers.Wait()) ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_THAT(SequencesOf(*log, RefundIdKind::kRefundId, "r7", {}), ElementsAre(7u, 707u, 1407u, 2107u));
  // Deleted ones do not show, in a block that is left in part or whole.
  TrimRequest request;
  request.stored_before = absl::InfiniteFuture();
  request.max_events = 707;
  ASSERT_TRUE(TrimAndWait(*log, request).ok());
  EXPECT_THAT(SequencesOf(*log, RefundIdKind::kRefundId, "r7", {707, 0}), ElementsAre(1407u, 2107u));
  ASSERT_TRUE(TrimAndWait(*log, request).ok());
  EXPECT_THAT(SequencesOf(*log, RefundIdKind::kRefundId, "r7", {1414, 0}), ElementsAre(2107u));
}

TEST_P(TrimContractTest, ALookUpByRefundKeepsItsLimits) {
  const auto log = OpenLog();
  for (int i = 1; i <= 6; ++i) {
    NewEvent event = MakeEvent(absl::StrCat("e", i), "refunded.pass", "c1", 100);
    event.refund_id = i == 2 ? "other" : "same";
    ASSERT_TRUE(AppendAndWait(*log, event).ok());
  }
  struct Case {
    ReadLimits limits;
    uint64_t through;
    size_t visited;
  };
  for (const Case& c : {Case{{2, 1 << 20, 1}, 3, 2}, Case{{256, 250, 1}, 3, 2}, Case{{256, 1, 1}, 2, 1},
                        Case{{0, 0, 0}, 2, 1}, Case{{256, 1 << 20, 1}, 6, 5}}) {
    size_t visited = 0;
    const auto through =
        log->FindByRefund(RefundIdKind::kRefundId, "same", {}, c.limits, [&](const StoredEvent&) { ++visited; });
    ASSERT_TRUE(through.ok()) << through.status();
    EXPECT_EQ(visited, c.visited);
    EXPECT_EQ(*through, (LogPosition{c.through, EventHash(absl::StrCat("e", c.through))}));
  }
}

}  // namespace
}  // namespace refund_relay
