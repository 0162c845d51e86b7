// Fan-out: joining its window, what leaves the window, who is woken, and no gaps.
#include "server/stream/fan_out.h"

#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/log/memory_event_log.h"
#include "tests/testing/test_events.h"

namespace refund_relay {
namespace {

using Commits = std::vector<std::shared_ptr<const LiveCommit>>;

class FanOutTest : public testing::Test {
 protected:
  ~FanOutTest() override { EXPECT_TRUE(log_.Close(absl::Now() + absl::Seconds(10)).ok()); }

  void Append(uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) AppendOrFail(log_, MakeNewEvent(++appended_));
  }

  MemoryEventLog log_;
  uint64_t appended_ = 0;
};

TEST_F(FanOutTest, JoinsRightAfterWhatWasThereBefore) {
  Append(3);
  FanOut fan_out({});
  fan_out.Start(log_);
  EXPECT_EQ(fan_out.last().sequence, 3u);
  Commits commits;
  EXPECT_EQ(fan_out.After(3, 1000, &commits), FanOut::Place::kInWindow);
  EXPECT_TRUE(commits.empty());
  EXPECT_EQ(fan_out.After(2, 1000, &commits), FanOut::Place::kBehind);
  Append(1);
  EXPECT_EQ(fan_out.After(3, 1000, &commits), FanOut::Place::kInWindow);
  ASSERT_EQ(commits.size(), 1u);
  EXPECT_EQ(commits[0]->from(), 3u);
  EXPECT_EQ(commits[0]->last().sequence, 4u);
  EXPECT_EQ(commits[0]->last().event_hash, EventHash(MakeNewEvent(4).event_id));
}

// However many subscriptions there are, and whoever of them asks first.
TEST_F(FanOutTest, ACommitIsEncodedOnceWithPersonalDataAndOnceWithout) {
  FanOut fan_out({});
  fan_out.Start(log_);
  Append(1);
  Commits commits;
  fan_out.After(0, 1000, &commits);
  ASSERT_EQ(commits.size(), 1u);
  std::vector<const EncodedEvents*> whole(8);
  std::vector<const EncodedEvents*> withheld(8);
  std::vector<std::thread> subscriptions;
  for (size_t i = 0; i < whole.size(); ++i) {
    subscriptions.emplace_back([&, i] {
      withheld[i] = commits[0]->Get(true).get();
      whole[i] = commits[0]->Get(false).get();
    });
  }
  for (std::thread& subscription : subscriptions) subscription.join();
  EXPECT_THAT(whole, testing::Each(whole[0]));
  EXPECT_THAT(withheld, testing::Each(withheld[0]));
  EXPECT_NE(whole[0], withheld[0]);
}

TEST_F(FanOutTest, WhoeverIsAheadOfWhatWasPublishedWaits) {
  FanOut fan_out({});
  fan_out.Start(log_);
  Append(2);
  Commits commits;
  EXPECT_EQ(fan_out.After(5, 1000, &commits), FanOut::Place::kInWindow);
  EXPECT_TRUE(commits.empty());
}

TEST_F(FanOutTest, OldCommitsLeaveTheWindowByBytes) {
  const size_t one = MakeNewEvent(1).event.size();
  FanOut fan_out({.window_bytes = 4 * one});
  fan_out.Start(log_);
  Append(50);
  Commits commits;
  EXPECT_EQ(fan_out.After(0, 1 << 20, &commits), FanOut::Place::kBehind);
  EXPECT_EQ(fan_out.After(49, 1 << 20, &commits), FanOut::Place::kInWindow);
  EXPECT_EQ(commits.size(), 1u);
}

TEST_F(FanOutTest, TheNewestCommitStaysHoweverLarge) {
  FanOut fan_out({.window_bytes = 1});
  fan_out.Start(log_);
  Append(2);
  Commits commits;
  EXPECT_EQ(fan_out.After(1, 1, &commits), FanOut::Place::kInWindow);
  EXPECT_EQ(commits.size(), 1u);
}

TEST_F(FanOutTest, GivesAtLeastOneCommitAndAboutWhatWasAskedFor) {
  FanOut fan_out({});
  fan_out.Start(log_);
  Append(10);
  Commits commits;
  fan_out.After(0, 1, &commits);
  EXPECT_EQ(commits.size(), 1u);
  commits.clear();
  fan_out.After(0, 1 << 20, &commits);
  ASSERT_EQ(commits.size(), 10u);
  for (size_t i = 0; i < 10; ++i) EXPECT_EQ(commits[i]->from(), i);
}

TEST_F(FanOutTest, ListenersAreCalledUntilRemoved) {
  class Counter final : public FanOut::Listener {
   public:
    void OnPublished() override { ++calls; }
    int calls = 0;
  };
  FanOut fan_out({});
  fan_out.Start(log_);
  Counter counter;
  fan_out.AddListener(&counter);
  Append(3);  // each is published before it is answered
  EXPECT_EQ(counter.calls, 3);
  fan_out.RemoveListener(&counter);
  Append(1);
  EXPECT_EQ(counter.calls, 3);
}

// A log whose tail does as the test says.
class ScriptedTail final : public EventLog {
 public:
  TailVisitor visit;

  LogPosition StartTail(TailVisitor visitor) override {
    visit = std::move(visitor);
    return {10, 0};
  }
  void Append(NewEvent, AppendDone) override {}
  absl::StatusOr<LogPosition> Read(LogPosition after, const EventFilter&, const ReadLimits&,
                                   absl::FunctionRef<void(const StoredEvent&)>) override {
    return after;
  }
  absl::StatusOr<LogPosition> PositionAt(uint64_t) override { return LogPosition{}; }
  absl::StatusOr<LogPosition> PositionBefore(absl::Time) override { return LogPosition{}; }
  absl::StatusOr<absl::Time> StoredAt(uint64_t) override { return absl::UnixEpoch(); }
  absl::StatusOr<FoundEvent> Find(std::string_view) override { return absl::NotFoundError("none"); }
  absl::StatusOr<LogPosition> FindByRefund(RefundIdKind, std::string_view, LogPosition after, const ReadLimits&,
                                           absl::FunctionRef<void(const StoredEvent&)>) override {
    return after;
  }
  void Trim(TrimRequest, TrimDone) override {}
  LogInfo Info() override { return {}; }
  absl::Status Health() override { return absl::OkStatus(); }
  absl::Status Close(absl::Time) override { return absl::OkStatus(); }
};

void Publish(ScriptedTail& tail, uint64_t sequence) {
  const NewEvent event = MakeNewEvent(sequence);
  const StoredEvent stored{sequence, absl::UnixEpoch(), event.event_id, event.event_name, event.client_id, event.event};
  tail.visit(absl::MakeConstSpan(&stored, 1));
}

TEST(FanOutGapTest, ATailThatSkipsIsNeverDeliveredAcross) {
  ScriptedTail tail;
  FanOut fan_out({});
  fan_out.Start(tail);
  Publish(tail, 11);
  Publish(tail, 13);  // 12 is missing
  Commits commits;
  EXPECT_EQ(fan_out.After(10, 1000, &commits), FanOut::Place::kBehind) << "must read the log again";
  EXPECT_EQ(fan_out.After(11, 1000, &commits), FanOut::Place::kBehind);
  EXPECT_TRUE(commits.empty());
  EXPECT_EQ(fan_out.After(12, 1000, &commits), FanOut::Place::kInWindow);
  EXPECT_EQ(commits.size(), 1u);
}

}  // namespace
}  // namespace refund_relay
