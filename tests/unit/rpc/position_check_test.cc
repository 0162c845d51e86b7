// Positions that come from outside, against a log that is restored or trimmed meanwhile.
#include "server/rpc/position_check.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "server/log/memory_event_log.h"
#include "server/log/status_reason.h"
#include "tests/testing/forwarding_event_log.h"
#include "tests/testing/log_probe.h"

namespace refund_relay {
namespace {

std::unique_ptr<EventLog> LogOf(int events) {
  auto log = std::make_unique<MemoryEventLog>();
  for (int i = 1; i <= events; ++i) EXPECT_TRUE(AppendAndWait(*log, MakeEvent("e" + std::to_string(i))).ok());
  return log;
}

// Says that it was restored from `old`, up to sequence 3.
class RestoredLog final : public ForwardingEventLog {
 public:
  using ForwardingEventLog::ForwardingEventLog;
  LogInfo Info() override {
    LogInfo info = inner().Info();
    info.restored_from = RestoredFrom{"old", 3};
    return info;
  }
};

refundrelay::v1::Position At(const std::string& log_id, uint64_t sequence, uint64_t hash = 0) {
  return ToProto(log_id, LogPosition{sequence, hash});
}

TEST(PositionCheckTest, PositionsOfTheLogBeforeTheRestoreAreTakenUpToTheBackup) {
  RestoredLog log(LogOf(5));
  for (const uint64_t sequence : {0u, 2u, 3u}) {
    const auto resolved = ResolvePosition(log, At("old", sequence));
    ASSERT_TRUE(resolved.ok()) << resolved.status();
    EXPECT_EQ(resolved->sequence, sequence);
  }
  EXPECT_TRUE(ResolvePosition(log, At("old", 3, EventHash("e3"))).ok());
  EXPECT_TRUE(ResolvePosition(log, At(log.Info().log_id, 5)).ok());
  EXPECT_EQ(ReasonText(ResolvePosition(log, At("old", 3, EventHash("e2"))).status()), "POSITION_MISMATCH");
  for (const auto& position : {At("old", 4), At("older", 2), At("", 0)}) {
    const absl::Status status = ResolvePosition(log, position).status();
    ASSERT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(ReasonOf(status)->reason(), "LOG_ID_CHANGED");
    EXPECT_EQ(ReasonOf(status)->metadata().at("restored_from"), R"({"log_id":"old","last_sequence":"3"})");
  }
}

TEST(PositionCheckTest, ALogThatWasNotRestoredNamesNoOther) {
  const auto log = LogOf(1);
  const absl::Status status = ResolvePosition(*log, At("old", 0)).status();
  EXPECT_EQ(ReasonText(status), "LOG_ID_CHANGED");
}

// Deletes events between the two questions that finding the start takes.
class TrimmedMeanwhile final : public ForwardingEventLog {
 public:
  using ForwardingEventLog::ForwardingEventLog;
  absl::StatusOr<LogPosition> PositionAt(uint64_t sequence) override {
    if (trims_ > 0) {
      TrimRequest request;
      request.stored_before = absl::InfiniteFuture();
      request.max_events = 1;
      EXPECT_TRUE(TrimAndWait(inner(), request).ok());
      --trims_;
    }
    return inner().PositionAt(sequence);
  }

 private:
  int trims_ = 3;
};

TEST(PositionCheckTest, TheEarliestPositionIsFoundThoughRetentionMovesIt) {
  TrimmedMeanwhile log(LogOf(5));
  const auto earliest = EarliestPosition(log);
  ASSERT_TRUE(earliest.ok()) << earliest.status();
  EXPECT_EQ(*earliest, (LogPosition{3, EventHash("e3")}));
}

}  // namespace
}  // namespace refund_relay
