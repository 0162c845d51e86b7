// A subscription's messages: history to live, filters, positions, gaps, bounds.
#include "server/stream/subscription.h"

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "refundrelay/v1/refund_event_service.pb.h"
#include "server/log/memory_event_log.h"
#include "server/log/status_reason.h"
#include "tests/testing/test_events.h"

namespace refund_relay {
namespace {

using refundrelay::v1::SubscribeResponse;

SubscribeResponse Parse(const Subscription::Batch& batch) {
  std::string bytes;
  for (const grpc::Slice& slice : batch.message) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  SubscribeResponse response;
  EXPECT_TRUE(response.ParseFromString(bytes));
  return response;
}

class SubscriptionTest : public testing::Test {
 protected:
  ~SubscriptionTest() override { EXPECT_TRUE(log_.Close(absl::Now() + absl::Seconds(10)).ok()); }

  void Append(uint64_t count, const std::string& name = "refunded.pass", const std::string& client = "client-a") {
    for (uint64_t i = 0; i < count; ++i) AppendOrFail(log_, MakeNewEvent(++appended_, name, client));
  }

  // What a stream does with ReadHistory, without threads.
  void ReadHistory(Subscription& subscription, size_t max_events = 256) {
    std::vector<NewEvent> copies;
    std::vector<std::pair<uint64_t, absl::Time>> places;
    ReadLimits limits;
    limits.max_events = max_events;
    const auto last = log_.Read(subscription.position(), subscription.filter(), limits, [&](const StoredEvent& event) {
      copies.push_back({std::string(event.event_id), std::string(event.event_name), std::string(event.client_id), "",
                        "", std::string(event.event)});
      places.emplace_back(event.sequence, event.stored_at);
    });
    if (!last.ok()) {
      subscription.OnHistory(last.status());
      return;
    }
    std::vector<StoredEvent> events;
    for (size_t i = 0; i < copies.size(); ++i) {
      events.push_back({places[i].first, places[i].second, copies[i].event_id, copies[i].event_name,
                        copies[i].client_id, copies[i].event});
    }
    subscription.OnHistory(EncodeEvents(subscription.position().sequence, *last, false, events));
  }

  // Takes steps until the subscription waits or ends; says what they were, in short.
  std::vector<std::string> Run(Subscription& subscription) {
    std::vector<std::string> steps;
    while (true) {
      Subscription::Step step = subscription.Next();
      if (auto* batch = std::get_if<Subscription::Batch>(&step)) {
        const SubscribeResponse response = Parse(*batch);
        std::string text = response.batch().live() ? "live" : "history";
        text += " " + std::to_string(response.batch().previous_sequence()) + ":";
        for (const auto& delivery : response.batch().deliveries()) text += " " + std::to_string(delivery.sequence());
        text += " @" + std::to_string(response.batch().position().sequence());
        EXPECT_EQ(response.batch().position().sequence(), subscription.position().sequence);
        steps.push_back(text);
      } else if (std::holds_alternative<Subscription::CaughtUp>(step)) {
        steps.push_back("caught_up @" + std::to_string(subscription.position().sequence));
      } else if (std::holds_alternative<Subscription::FellBehind>(step)) {
        steps.push_back("fell_behind @" + std::to_string(subscription.position().sequence));
      } else if (std::holds_alternative<Subscription::ReadHistory>(step)) {
        ReadHistory(subscription);
      } else if (std::holds_alternative<Subscription::Wait>(step)) {
        return steps;
      } else if (const auto& end = std::get<Subscription::End>(step); end.say_position) {
        steps.push_back("say @" + std::to_string(subscription.position().sequence));
      } else {
        const auto reason = ReasonOf(end.status);
        steps.push_back("end " + (end.status.ok() ? "OK" : reason.has_value() ? reason->reason() : "?"));
        return steps;
      }
    }
  }

  using Steps = std::vector<std::string>;
  MemoryEventLog log_;
  uint64_t appended_ = 0;
};

TEST_F(SubscriptionTest, AnEmptyLogIsCaughtUpAtOnce) {
  FanOut fan_out({});
  fan_out.Start(log_);
  Subscription subscription(fan_out, {});
  EXPECT_EQ(Run(subscription), (Steps{"caught_up @0"}));
  EXPECT_EQ(Run(subscription), Steps{}) << "only once";
  Append(2);
  EXPECT_EQ(Run(subscription), (Steps{"live 0: 1 2 @2"}));
}

TEST_F(SubscriptionTest, HistoryThenLiveWithoutGapOrDouble) {
  Append(3);
  FanOut fan_out({});
  fan_out.Start(log_);
  Append(2);
  Subscription subscription(fan_out, {});
  EXPECT_EQ(Run(subscription), (Steps{"history 0: 1 2 3 4 5 @5", "caught_up @5"}));
  Append(1);
  EXPECT_EQ(Run(subscription), (Steps{"live 5: 6 @6"}));
}

TEST_F(SubscriptionTest, HistoryThatEndsInsideTheWindowJoinsThere) {
  Append(3);
  FanOut fan_out({});
  fan_out.Start(log_);
  Append(4);
  Subscription subscription(fan_out, {});
  ASSERT_TRUE(std::holds_alternative<Subscription::ReadHistory>(subscription.Next()));
  ReadHistory(subscription, 5);
  EXPECT_EQ(Run(subscription), (Steps{"history 0: 1 2 3 4 5 @5", "live 5: 6 7 @7", "caught_up @7"}));
}

TEST_F(SubscriptionTest, TheFilterLeavesOutAndThePositionMovesOn) {
  FanOut fan_out({});
  fan_out.Start(log_);
  Subscription::Options options;
  options.filter.event_names = {"refunded.pass"};
  Subscription subscription(fan_out, options);
  EXPECT_EQ(Run(subscription), (Steps{"caught_up @0"}));
  Append(2, "refunded.subscription");
  EXPECT_EQ(Run(subscription), Steps{});
  EXPECT_EQ(subscription.position().sequence, 2u);
  Append(1);
  Append(1, "refunded.subscription");
  EXPECT_EQ(Run(subscription), (Steps{"live 0: 3 @4"}));
}

TEST_F(SubscriptionTest, MatchingRunsWithinOneRangeAreAllDelivered) {
  for (int i = 0; i < 6; ++i) Append(1, i % 3 == 1 ? "refunded.subscription" : "refunded.pass");
  FanOut fan_out({});
  fan_out.Start(log_);
  Subscription::Options options;
  options.filter.event_names = {"refunded.pass"};
  options.filter.client_ids = {"client-a", "client-b"};
  Subscription subscription(fan_out, options);
  EXPECT_EQ(Run(subscription), (Steps{"history 0: 1 3 4 6 @6", "caught_up @6"}));
}

TEST_F(SubscriptionTest, BatchesKeepToTheirLimits) {
  FanOut fan_out({});
  fan_out.Start(log_);
  Append(5);
  Subscription::Options by_events;
  by_events.max_batch_events = 2;
  Subscription first(fan_out, by_events);
  EXPECT_EQ(Run(first), (Steps{"live 0: 1 2 @2", "live 2: 3 4 @4", "live 4: 5 @5", "caught_up @5"}));
  Subscription::Options by_bytes;
  by_bytes.max_batch_bytes = 1;  // each event is larger: each goes alone
  Subscription second(fan_out, by_bytes);
  EXPECT_EQ(Run(second),
            (Steps{"live 0: 1 @1", "live 1: 2 @2", "live 2: 3 @3", "live 3: 4 @4", "live 4: 5 @5", "caught_up @5"}));
}

TEST_F(SubscriptionTest, WhoFallsOutOfTheWindowReadsHistoryAgain) {
  FanOut fan_out({.window_bytes = 1});
  fan_out.Start(log_);
  Subscription subscription(fan_out, {});
  EXPECT_EQ(Run(subscription), (Steps{"caught_up @0"}));
  Append(4);  // the window keeps only the last
  EXPECT_EQ(Run(subscription), (Steps{"fell_behind @0", "history 0: 1 2 3 4 @4", "caught_up @4"}));
}

TEST_F(SubscriptionTest, StopsWhenCaughtUp) {
  Append(2);
  FanOut fan_out({});
  fan_out.Start(log_);
  Subscription::Options options;
  options.stop_when_caught_up = true;
  Subscription subscription(fan_out, options);
  EXPECT_EQ(Run(subscription), (Steps{"history 0: 1 2 @2", "caught_up @2", "end OK"}));
}

TEST_F(SubscriptionTest, OnABusyLogCatchingUpStillEnds) {
  FanOut fan_out({});
  fan_out.Start(log_);
  Append(2);
  Subscription::Options options;
  options.stop_when_caught_up = true;
  options.max_batch_events = 1;
  Subscription subscription(fan_out, options);
  ASSERT_TRUE(std::holds_alternative<Subscription::Batch>(subscription.Next()));
  Append(1);
  ASSERT_TRUE(std::holds_alternative<Subscription::Batch>(subscription.Next()));
  Append(1);
  EXPECT_EQ(Run(subscription), (Steps{"caught_up @2", "end OK"})) << "what came meanwhile is not waited for";
}

TEST_F(SubscriptionTest, StopsAtTheBoundInHistoryAndLive) {
  Append(3);
  FanOut fan_out({});
  fan_out.Start(log_);
  Append(3);
  Subscription::Options options;
  options.until = LogPosition{2, 0};
  Subscription in_history(fan_out, options);
  EXPECT_EQ(Run(in_history), (Steps{"history 0: 1 2 @2", "end OK"}));
  options.start = {3, 0};
  options.until = LogPosition{5, 0};
  Subscription live(fan_out, options);
  EXPECT_EQ(Run(live), (Steps{"live 3: 4 5 @5", "end OK"}));
}

TEST_F(SubscriptionTest, ABoundThatNothingMatchesIsSaid) {
  FanOut fan_out({});
  fan_out.Start(log_);
  Append(3);
  Subscription::Options options;
  options.filter.event_names = {"refunded.subscription"};
  options.until = LogPosition{2, 0};
  Subscription subscription(fan_out, options);
  EXPECT_EQ(Run(subscription), (Steps{"say @2", "end OK"}));
}

TEST_F(SubscriptionTest, ABoundAtOrBeforeTheStartEndsAtOnce) {
  Append(3);
  FanOut fan_out({});
  fan_out.Start(log_);
  Subscription::Options options;
  options.start = {3, 0};
  options.until = LogPosition{3, 0};
  Subscription subscription(fan_out, options);
  EXPECT_EQ(Run(subscription), (Steps{"end OK"}));
}

TEST_F(SubscriptionTest, ARangeThatDoesNotJoinStopsTheStream) {
  Append(9);
  FanOut fan_out({});
  fan_out.Start(log_);
  Subscription subscription(fan_out, {});
  ASSERT_TRUE(std::holds_alternative<Subscription::ReadHistory>(subscription.Next()));
  subscription.OnHistory(EncodeEvents(5, {6, 0}, false, {}));
  EXPECT_EQ(Run(subscription), (Steps{"end GAP"}));
}

TEST_F(SubscriptionTest, HistoryThatGivesNothingIsAGapAndNoEndlessLoop) {
  Append(9);
  FanOut fan_out({});
  fan_out.Start(log_);
  Subscription subscription(fan_out, {});
  ASSERT_TRUE(std::holds_alternative<Subscription::ReadHistory>(subscription.Next()));
  subscription.OnHistory(EncodeEvents(0, {0, 0}, false, {}));
  EXPECT_EQ(Run(subscription), (Steps{"end GAP"}));
}

TEST_F(SubscriptionTest, AnErrorOfHistoryEndsTheStreamAfterWhatWasRead) {
  Append(3);
  FanOut fan_out({});
  fan_out.Start(log_);
  Subscription subscription(fan_out, {});
  ASSERT_TRUE(std::holds_alternative<Subscription::ReadHistory>(subscription.Next()));
  ReadHistory(subscription, 1);
  ASSERT_TRUE(std::holds_alternative<Subscription::Batch>(subscription.Next()));
  ASSERT_TRUE(std::holds_alternative<Subscription::ReadHistory>(subscription.Next()));
  ASSERT_TRUE(std::holds_alternative<Subscription::ReadHistory>(subscription.Next())) << "asking again does no harm";
  subscription.OnHistory(ChecksumError(2));
  EXPECT_EQ(Run(subscription), (Steps{"end CHECKSUM"}));
}

TEST_F(SubscriptionTest, PersonalDataIsLeftOutOfLiveBatches) {
  FanOut fan_out({});
  fan_out.Start(log_);
  Append(1);
  Subscription::Options options;
  options.omit_personal_data = true;
  Subscription subscription(fan_out, options);
  Subscription::Step step = subscription.Next();
  ASSERT_TRUE(std::holds_alternative<Subscription::Batch>(step));
  const SubscribeResponse response = Parse(std::get<Subscription::Batch>(step));
  EXPECT_FALSE(response.batch().deliveries(0).event().has_user());
  EXPECT_EQ(response.batch().deliveries(0).event().refund().amount().units(), 1);
}

}  // namespace
}  // namespace refund_relay
