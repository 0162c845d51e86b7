// What may be deleted and when: ages, silence, clocks that jump.
#include "server/log/retention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/log/memory_event_log.h"
#include "server/ops/logging.h"
#include "tests/testing/log_probe.h"
#include "tests/testing/manual_clock.h"

namespace refund_relay {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RetentionTest : public ::testing::Test {
 protected:
  RetentionTest() {
    SetLogSink([this](std::string_view line) {
      absl::MutexLock lock(&lines_mu_);
      lines_.emplace_back(line);
    });
    MemoryEventLog::Options options;
    options.clock = &clock_;
    log_ = std::make_unique<MemoryEventLog>(options);
  }
  ~RetentionTest() override {
    log_.reset();
    SetLogSink(nullptr);
  }

  Retention& Make(absl::Duration age, uint64_t max_bytes = 0, absl::Duration dedupe_age = absl::ZeroDuration()) {
    Retention::Options options;
    options.age = age;
    options.max_bytes = max_bytes;
    options.dedupe_age = dedupe_age;
    options.clock = &clock_;
    options.since_boot = [this] { return since_boot_; };
    options.metrics = &metrics_;
    options.trimmed = [this](absl::Span<const TrimmedEvent> events) {
      for (const TrimmedEvent& event : events) trimmed_.push_back(event.sequence);
    };
    retention_ = std::make_unique<Retention>(*log_, options);
    return *retention_;
  }

  // Time goes on, as both clocks see it.
  void Pass(absl::Duration time) {
    clock_.Advance(time);
    since_boot_ += time;
  }
  void Store(const std::string& id) { ASSERT_TRUE(AppendAndWait(*log_, MakeEvent(id)).ok()); }

  double Paused() {
    for (const auto& family : registry_.Collect()) {
      if (family.name == "refund_relay_retention_paused") return family.metric[0].gauge.value;
    }
    return -1;
  }
  std::vector<std::string> Lines() {
    absl::MutexLock lock(&lines_mu_);
    return lines_;
  }

  ManualClock clock_{absl::FromUnixSeconds(1'700'000'000)};
  absl::Duration since_boot_ = absl::Hours(5);
  prometheus::Registry registry_;
  LogMetrics metrics_{registry_};
  absl::Mutex lines_mu_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(lines_mu_);
  std::vector<uint64_t> trimmed_;
  std::unique_ptr<EventLog> log_;
  std::unique_ptr<Retention> retention_;
};

TEST_F(RetentionTest, EventsGoWhenTheyAreTooMuchOlderThanTheNewest) {
  Retention& retention = Make(absl::Hours(10));
  for (int i = 1; i <= 4; ++i) {
    Store(absl::StrCat("e", i));
    retention.RunOnce();
    Pass(absl::Hours(4));
  }
  EXPECT_THAT(trimmed_, ElementsAre(1u)) << "stored at 0, 4, 8 and 12 hours";
  EXPECT_EQ(log_->Info().first_sequence, 2u);
}

TEST_F(RetentionTest, ASilentLogLosesNothing) {
  Retention& retention = Make(absl::Hours(10));
  Store("e1");
  Pass(absl::Hours(1));
  Store("e2");
  for (int i = 0; i < 100; ++i) {
    Pass(absl::Hours(24));
    retention.RunOnce();
  }
  EXPECT_THAT(trimmed_, IsEmpty());
}

TEST_F(RetentionTest, NothingGoesWhenThereAreNoLimits) {
  Retention& retention = Make(absl::ZeroDuration());
  Store("e1");
  retention.RunOnce();
  Pass(absl::Hours(24 * 1000));
  Store("e2");
  retention.RunOnce();
  EXPECT_THAT(trimmed_, IsEmpty());
}

TEST_F(RetentionTest, StepsFollowEachOtherWithARestBetween) {
  Retention& retention = Make(absl::Hours(1));
  for (size_t i = 0; i < kTrimStepEvents + 10; ++i) Store(absl::StrCat("e", i));
  retention.RunOnce();
  Pass(absl::Hours(2));
  Store("new");
  EXPECT_EQ(retention.RunOnce(), kRestBetweenSteps);
  EXPECT_EQ(trimmed_.size(), kTrimStepEvents);
  EXPECT_EQ(retention.RunOnce(), kRetentionInterval);
  EXPECT_EQ(trimmed_.size(), kTrimStepEvents + 10);
}

TEST_F(RetentionTest, AClockThatJumpsForwardPausesUntilItIsSetRight) {
  Retention& retention = Make(absl::Hours(10));
  Store("e1");
  retention.RunOnce();
  Pass(absl::Minutes(1));
  clock_.Advance(absl::Hours(100));  // a jump: the time since boot does not know of it
  Store("e2");                       // which the log dates by the wrong clock
  retention.RunOnce();
  EXPECT_THAT(trimmed_, IsEmpty());
  EXPECT_TRUE(retention.paused());
  EXPECT_EQ(Paused(), 1);
  EXPECT_THAT(Lines(), Contains(HasSubstr("the clock jumped by 100h")));
  EXPECT_THAT(Lines(), Contains(HasSubstr("restart refund-relay")));
  const size_t lines = Lines().size();
  for (int i = 0; i < 5; ++i) {
    Pass(absl::Minutes(1));
    retention.RunOnce();
  }
  EXPECT_TRUE(retention.paused()) << "a jump is not forgotten by waiting";
  EXPECT_EQ(Lines().size(), lines) << "said once";

  clock_.Advance(absl::Hours(-100));
  retention.RunOnce();
  EXPECT_TRUE(retention.paused()) << "the newest event is yet to come";
  EXPECT_THAT(trimmed_, IsEmpty());
  Pass(absl::Hours(101));
  retention.RunOnce();
  EXPECT_FALSE(retention.paused());
  EXPECT_EQ(Paused(), 0);
  EXPECT_THAT(trimmed_, ElementsAre(1u)) << "by now it is that old";
}

TEST_F(RetentionTest, AClockThatJumpsBackPausesToo) {
  Retention& retention = Make(absl::Hours(10));
  Store("e1");
  Pass(absl::Hours(9));
  Store("e2");
  retention.RunOnce();
  clock_.Advance(absl::Hours(-2));
  retention.RunOnce();
  EXPECT_TRUE(retention.paused());
}

TEST_F(RetentionTest, SmallCorrectionsOfTheClockAreNoJump) {
  Retention& retention = Make(absl::Hours(10));
  Store("e1");
  for (int i = 0; i < 1000; ++i) {
    Pass(absl::Minutes(1));
    clock_.Advance(absl::Milliseconds(500));
    retention.RunOnce();
    ASSERT_FALSE(retention.paused());
  }
}

TEST_F(RetentionTest, TimeAsleepIsNoJump) {
  Retention& retention = Make(absl::Hours(10));
  Store("e1");
  retention.RunOnce();
  Pass(absl::Hours(48));
  Store("e2");
  retention.RunOnce();
  EXPECT_FALSE(retention.paused());
  EXPECT_THAT(trimmed_, ElementsAre(1u));
}

TEST_F(RetentionTest, ANewestEventInTheFuturePausesFromTheStart) {
  Store("e1");
  Pass(absl::Hours(20));
  Store("e2");
  clock_.Advance(absl::Hours(-5));
  Retention& retention = Make(absl::Hours(10));
  retention.RunOnce();
  EXPECT_TRUE(retention.paused());
  EXPECT_THAT(trimmed_, IsEmpty());
  EXPECT_THAT(Lines(), Contains(HasSubstr("is yet to come")));
}

TEST_F(RetentionTest, AfterALongSilenceTheClockGetsTimeToBeSetRight) {
  Store("e1");
  Pass(absl::Hours(100));  // or the machine has booted with a wrong clock
  Retention& retention = Make(absl::Hours(10));
  retention.RunOnce();
  Store("e2");
  retention.RunOnce();
  EXPECT_THAT(trimmed_, IsEmpty());
  Pass(kClockSettleTime);
  retention.RunOnce();
  EXPECT_THAT(trimmed_, ElementsAre(1u));
}

TEST_F(RetentionTest, SizeIsKeptAndIdsAreForgotten) {
  Retention& retention = Make(absl::ZeroDuration(), /*max_bytes=*/1, /*dedupe_age=*/absl::Hours(10));
  Store("e1");
  Pass(absl::Hours(1));
  Store("e2");
  retention.RunOnce();
  EXPECT_THAT(trimmed_, ElementsAre(1u));
  EXPECT_EQ(ReasonText(log_->Find("e1").status()), "EVENT_EXPIRED sequence=1");
  Pass(absl::Hours(10));
  Store("e3");
  retention.RunOnce();
  EXPECT_EQ(ReasonText(log_->Find("e1").status()), "EVENT_UNKNOWN");
  EXPECT_EQ(ReasonText(log_->Find("e2").status()), "EVENT_EXPIRED sequence=2");
}

TEST_F(RetentionTest, ItsThreadDeletesAndStops) {
  Store("e1");
  Pass(absl::Hours(2));
  Store("e2");
  Retention& retention = Make(absl::Hours(1));
  retention.Start();
  const absl::Time deadline = absl::Now() + kTestDeadline;
  while (log_->Info().first_sequence < 2 && absl::Now() < deadline) std::this_thread::yield();
  EXPECT_EQ(log_->Info().first_sequence, 2u);
  retention.Stop();
  EXPECT_THAT(trimmed_, ElementsAre(1u));
}

}  // namespace
}  // namespace refund_relay
