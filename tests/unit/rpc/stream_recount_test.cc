// StreamRecount: many ranges and filters in one pass, within its budget, over damage and retention.
#include "server/rpc/stream_recount.h"

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "server/log/memory_event_log.h"
#include "server/log/read_errors.h"
#include "tests/testing/forwarding_event_log.h"
#include "tests/testing/test_events.h"

namespace refund_relay {
namespace {

constexpr const char* kNames[] = {"refunded.pass", "refunded.subscription", "refunded.pay_per_use"};

// Event n has the name n % 3 and the client n % 5.
std::unique_ptr<EventLog> LogOf(uint64_t events) {
  auto log = std::make_unique<MemoryEventLog>();
  for (uint64_t i = 1; i <= events; ++i) {
    AppendOrFail(*log, MakeNewEvent(i, kNames[i % 3], std::string("client-") + static_cast<char>('0' + i % 5)));
  }
  return log;
}

void Finish(StreamRecount& recount, EventLog& log) {
  for (int steps = 0; !recount.done(); ++steps) {
    ASSERT_LT(steps, 1000) << "it makes no progress";
    recount.Step(log);
  }
}

using Answer = std::optional<uint64_t>;

std::vector<Answer> AnswersOf(const StreamRecount& recount) {
  std::vector<Answer> answers;
  for (const StreamRecount::Question& question : recount.questions()) answers.push_back(question.matching);
  return answers;
}

TEST(StreamRecountTest, CountsWhatMatchesInEachRange) {
  constexpr uint64_t kEvents = 3000;  // more than one step reads
  const auto log = LogOf(kEvents);
  const EventFilter all;
  const EventFilter by_name{{kNames[0]}, {}};
  const EventFilter by_both{{kNames[2], kNames[1]}, {"client-1", "client-3"}};  // sorted
  const EventFilter nothing{{"refunded.bundle"}, {}};
  const EventFilter* const filters[] = {&all, &by_name, &by_both, &nothing};
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  std::vector<StreamRecount::Question> questions = {{&all, 0, kEvents}, {&all, kEvents, kEvents}, {&all, 7, 7}};
  for (int i = 0; i < 200; ++i) {
    const uint64_t from = random() % kEvents;
    questions.push_back({filters[random() % 4], from, from + random() % (kEvents - from + 1)});
  }
  StreamRecount recount(questions, {});
  Finish(recount, *log);
  for (size_t i = 0; i < questions.size(); ++i) {
    uint64_t expected = 0;
    for (uint64_t n = questions[i].from + 1; n <= questions[i].to; ++n) {
      expected += questions[i].filter->Matches(kNames[n % 3], std::string("client-") + static_cast<char>('0' + n % 5));
    }
    EXPECT_EQ(recount.questions()[i].matching, expected) << questions[i].from << " to " << questions[i].to;
  }
}

TEST(StreamRecountTest, WhatTheBudgetDoesNotCoverStaysUnanswered) {
  const auto log = LogOf(5000);
  const EventFilter all;
  const EventFilter by_name{{kNames[0]}, {}};
  StreamRecount by_events({{&all, 0, 100}, {&all, 0, 5000}, {&all, 4000, 5000}}, {.events = 2000});
  Finish(by_events, *log);
  EXPECT_EQ(AnswersOf(by_events), (std::vector<Answer>{100, std::nullopt, std::nullopt}));
  StreamRecount by_matches({{&all, 0, 900}, {&by_name, 0, 900}, {&all, 0, 5000}}, {.matches = 3000});
  Finish(by_matches, *log);
  EXPECT_EQ(AnswersOf(by_matches), (std::vector<Answer>{900, 300, std::nullopt}));
}

// Cannot be read at one sequence, and has forgotten everything before another.
class DamagedLog final : public ForwardingEventLog {
 public:
  DamagedLog(std::unique_ptr<EventLog> inner, uint64_t damaged, uint64_t first)
      : ForwardingEventLog(std::move(inner)), damaged_(damaged), first_(first) {}

  absl::StatusOr<LogPosition> Read(LogPosition after, const EventFilter& filter, const ReadLimits& limits,
                                   absl::FunctionRef<void(const StoredEvent&)> visit) override {
    if (absl::Status status = CheckPosition(after.sequence, first_, inner().Info().last.sequence); !status.ok()) {
      return status;
    }
    if (after.sequence + 1 == damaged_) return MissingRecordError(damaged_);
    ReadLimits shorter = limits;
    if (after.sequence < damaged_) shorter.max_scanned = std::min(limits.max_scanned, damaged_ - after.sequence - 1);
    return inner().Read(after, filter, shorter, visit);
  }
  LogInfo Info() override {
    LogInfo info = inner().Info();
    info.first_sequence = first_;
    return info;
  }

 private:
  const uint64_t damaged_;
  const uint64_t first_;
};

TEST(StreamRecountTest, PassesOverWhatWasDeletedOrIsDamaged) {
  DamagedLog log(LogOf(200), /*damaged=*/100, /*first=*/51);
  const EventFilter all;
  StreamRecount recount({{&all, 10, 150},    // deleted and damaged
                         {&all, 20, 60},     // deleted
                         {&all, 50, 99},     // whole: up to the damaged one
                         {&all, 60, 100},    // damaged
                         {&all, 100, 200},   // whole: behind it
                         {&all, 150, 170}},  // whole
                        {});
  Finish(recount, log);
  EXPECT_EQ(AnswersOf(recount), (std::vector<Answer>{std::nullopt, std::nullopt, 49, std::nullopt, 100, 20}));
}

TEST(StreamRecountTest, WhatLiesBeyondTheEndStaysUnanswered) {
  const auto log = LogOf(10);
  const EventFilter all;
  StreamRecount recount({{&all, 5, 10}, {&all, 5, 11}}, {});
  Finish(recount, *log);
  EXPECT_EQ(AnswersOf(recount), (std::vector<Answer>{5, std::nullopt}));
}

}  // namespace
}  // namespace refund_relay
