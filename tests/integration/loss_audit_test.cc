// The loss audit over real streams: quiet under load, loud when an event is lost on purpose.
#include "server/rpc/loss_audit.h"

#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "server/log/memory_event_log.h"
#include "tests/testing/forwarding_event_log.h"
#include "tests/testing/log_lines.h"
#include "tests/testing/streaming_server.h"
#include "tests/testing/test_events.h"

namespace refund_relay {
namespace {

using refundrelay::v1::SubscribeRequest;

constexpr char kMismatch[] = "refund_relay_loss_audit_mismatch_events";
constexpr char kChecked[] = "refund_relay_loss_audit_checked_events_total";
constexpr char kUnchecked[] = "refund_relay_loss_audit_unchecked_events_total";

SubscribeRequest RequestOf(const std::string& name, const std::string& event_name = "") {
  SubscribeRequest request = FromEarliest();
  request.set_subscriber_name(name);
  if (!event_name.empty()) request.mutable_filter()->add_event_names(event_name);
  return request;
}

// A log that loses event `lost` on the way to the streams, once; whoever reads it later finds it.
class LosingLog final : public ForwardingEventLog {
 public:
  enum class From { kTail, kHistory };

  LosingLog(std::unique_ptr<EventLog> inner, From from, uint64_t lost)
      : ForwardingEventLog(std::move(inner)), from_(from), lost_(lost) {}

  // From the tail it is lost in the middle of a commit; at its edge the fan-out would notice.
  LogPosition StartTail(TailVisitor visit) override {
    return inner().StartTail([this, visit = std::move(visit)](absl::Span<const StoredEvent> events) mutable {
      if (from_ != From::kTail || events.front().sequence < lost_ - 1 || events.front().sequence > lost_ + 1) {
        visit(events);
        return;
      }
      for (const StoredEvent& event : events) held_.push_back(MakeNewEvent(event.sequence));
      if (held_.size() < 3) return;
      std::vector<StoredEvent> commit;
      for (const uint64_t sequence : {lost_ - 1, lost_ + 1}) {
        const NewEvent& event = held_[sequence - (lost_ - 1)];
        commit.push_back({sequence, absl::Now(), event.event_id, event.event_name, event.client_id, event.event});
      }
      visit(commit);
    });
  }

  absl::StatusOr<LogPosition> Read(LogPosition after, const EventFilter& filter, const ReadLimits& limits,
                                   absl::FunctionRef<void(const StoredEvent&)> visit) override {
    return inner().Read(after, filter, limits, [&](const StoredEvent& event) {
      if (from_ == From::kHistory && event.sequence == lost_ && !has_lost_.exchange(true)) return;
      visit(event);
    });
  }

 private:
  const From from_;
  const uint64_t lost_;
  std::vector<NewEvent> held_;  // the tail's thread only
  std::atomic<bool> has_lost_ = false;
};

// A server over `log`, and an audit that turns when the test says.
struct Audited {
  explicit Audited(StreamingServer::Options options)
      : server(std::move(options)),
        audit(server.registry(), {server.log(), server.history(), server.streams(), webhooks, server.promotions(),
                                  [this] { return accepted_answers.load(); }}) {}

  // As the publisher does.
  void Append(NewEvent event) {
    absl::Notification answered;
    server.log().Append(std::move(event),
                        webhooks.Begin([&](const absl::StatusOr<AppendOutcome>&) { answered.Notify(); }));
    answered.WaitForNotification();
  }

  StreamingServer server;
  AppendCount webhooks;
  std::atomic<uint64_t> accepted_answers = 0;
  LossAudit audit;
};

// In memory behind what `wrap` makes of the log.
template <typename Wrap>
StreamingServer::Options Behind(Wrap wrap) {
  auto inner = std::make_unique<MemoryEventLog>();
  Storage storage;
  storage.positions = &inner->positions();
  storage.quarantine = &inner->quarantine();
  storage.log = wrap(std::move(inner));
  StreamingServer::Options options;
  options.storage = std::move(storage);
  return options;
}

void ExpectOneLossOf(Audited& audited, const LogLines& lines, const std::string& subscriber) {
  audited.audit.Audit();
  EXPECT_EQ(audited.server.Metric(kMismatch), 1);
  audited.audit.Audit();
  EXPECT_EQ(audited.server.Metric(kMismatch), 1) << "a loss stays, and counts once";
  const std::vector<std::string> found = lines.With("loss audit: a stream did not deliver");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(absl::StrContains(found.front(), "\"level\":\"error\"")) << found.front();
  EXPECT_TRUE(absl::StrContains(found.front(), absl::StrCat("\"subscriber\":\"", subscriber, "\"")));
}

TEST(LossAuditTest, SeesAnEventThatTheTailLost) {
  const LogLines lines;
  Audited audited(Behind([](std::unique_ptr<EventLog> inner) {
    return std::make_unique<LosingLog>(std::move(inner), LosingLog::From::kTail, /*lost=*/5);
  }));
  const auto stub = audited.server.NewStub();
  StreamReader all(*stub, RequestOf("all"));
  StreamReader others(*stub, RequestOf("others", "refunded.bundle"));  // the lost event is not for it
  EXPECT_TRUE(all.Read().has_started());
  EXPECT_TRUE(others.Read().has_started());
  EXPECT_TRUE(all.Read().has_caught_up());
  EXPECT_TRUE(others.Read().has_caught_up());
  for (uint64_t i = 1; i <= 3; ++i) audited.Append(MakeNewEvent(i));
  uint64_t last = 0;
  while (last < 3) last = all.Read().batch().position().sequence();
  audited.audit.Audit();
  EXPECT_EQ(audited.server.Metric(kMismatch), 0);
  for (uint64_t i = 4; i <= 6; ++i) audited.Append(MakeNewEvent(i));
  while (last < 6) last = all.Read().batch().position().sequence();
  ExpectOneLossOf(audited, lines, "all");
}

TEST(LossAuditTest, SeesAnEventThatAPageOfHistoryLostAlsoAfterTheStreamEnded) {
  const LogLines lines;
  StreamingServer::Options options = Behind([](std::unique_ptr<EventLog> inner) {
    return std::make_unique<LosingLog>(std::move(inner), LosingLog::From::kHistory, /*lost=*/5);
  });
  for (uint64_t i = 1; i <= 9; ++i) options.stored.push_back(MakeNewEvent(i));
  Audited audited(std::move(options));
  const auto stub = audited.server.NewStub();
  {
    SubscribeRequest request = RequestOf("bounded");
    request.set_stop_when_caught_up(true);
    StreamReader stream(*stub, request);
    EXPECT_TRUE(stream.Read().has_started());
    EXPECT_EQ(stream.Read().batch().deliveries_size(), 8);
    EXPECT_TRUE(stream.Read().has_caught_up());
    EXPECT_TRUE(stream.Finish().ok());
  }
  audited.server.AwaitOpenStreams(0);
  ExpectOneLossOf(audited, lines, "bounded");
}

TEST(LossAuditTest, AStretchThatIsTooLongIsCountedAsUnchecked) {
  constexpr uint64_t kEvents = LossAudit::kMostEventsOfAStream + 10;
  StreamingServer::Options options;
  for (uint64_t i = 1; i <= kEvents; ++i) options.stored.push_back(MakeNewEvent(i));
  Audited audited(std::move(options));
  const auto stub = audited.server.NewStub();
  StreamReader stream(*stub, RequestOf("long"));
  const auto read_to = [&](uint64_t sequence) {
    for (uint64_t last = 0; last < sequence;) {
      last = std::max<uint64_t>(last, stream.Read().batch().position().sequence());
    }
  };
  read_to(kEvents);
  audited.audit.Audit();
  EXPECT_EQ(audited.server.Metric(kUnchecked), kEvents);
  EXPECT_EQ(audited.server.Metric(kChecked), 0);
  audited.Append(MakeNewEvent(kEvents + 1));
  read_to(kEvents + 1);
  audited.audit.Audit();
  EXPECT_EQ(audited.server.Metric(kUnchecked), kEvents);
  EXPECT_EQ(audited.server.Metric(kChecked), 1) << "it goes on from there";
  EXPECT_EQ(audited.server.Metric(kMismatch), 0);
}

// Answers the append of one event as stored without storing it, and keeps the answers to others back on demand.
class UntruthfulLog final : public ForwardingEventLog {
 public:
  using ForwardingEventLog::ForwardingEventLog;

  void Append(NewEvent event, AppendDone done) override {
    if (event.event_id == MakeNewEvent(13).event_id) {
      done(AppendOutcome{inner().Info().last.sequence, false});
      return;
    }
    inner().Append(std::move(event),
                   [this, done = std::move(done)](const absl::StatusOr<AppendOutcome>& outcome) mutable {
                     if (hold) {
                       held.emplace_back([done = std::move(done), outcome]() mutable { done(outcome); });
                       holding.Notify();
                     } else {
                       done(outcome);
                     }
                   });
  }

  std::atomic<bool> hold = false;
  absl::Notification holding;
  std::vector<absl::AnyInvocable<void()>> held;
};

TEST(LossAuditTest, ComparesWhatWasAcceptedWithWhatIsStored) {
  const LogLines lines;
  UntruthfulLog* log = nullptr;
  Audited audited(Behind([&log](std::unique_ptr<EventLog> inner) {
    auto made = std::make_unique<UntruthfulLog>(std::move(inner));
    log = made.get();
    return made;
  }));
  const auto mismatch_now = [&] {
    audited.audit.CompareIntake();
    return audited.server.Metric(kMismatch);
  };
  const auto append = [&](AppendCount& count, uint64_t number) {
    absl::Notification answered;
    log->Append(MakeNewEvent(number), count.Begin([&](const absl::StatusOr<AppendOutcome>&) { answered.Notify(); }));
    answered.WaitForNotification();
  };
  append(audited.webhooks, 1);
  append(audited.webhooks, 1);  // a duplicate stores nothing
  append(audited.server.promotions(), 2);
  audited.accepted_answers = 1;
  EXPECT_EQ(mismatch_now(), 0);

  // Stored, but the answer is still on its way.
  log->hold = true;
  log->Append(MakeNewEvent(3), audited.webhooks.Begin([](const absl::StatusOr<AppendOutcome>&) {}));
  log->holding.WaitForNotification();
  EXPECT_EQ(log->Info().last.sequence, 3u);
  EXPECT_EQ(mismatch_now(), 0);
  log->hold = false;
  log->held.front()();
  EXPECT_EQ(mismatch_now(), 0);
  EXPECT_TRUE(lines.With("loss audit").empty());

  // Answered as stored, but it is not.
  append(audited.webhooks, 13);
  EXPECT_EQ(mismatch_now(), 1);
  EXPECT_EQ(mismatch_now(), 1);
  const std::vector<std::string> found = lines.With("loss audit: accepted and stored events differ");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(absl::StrContains(found.front(), "\"reported_stored\":4,\"stored\":3")) << found.front();
  // A sender was told `accepted` though the log never said so.
  audited.accepted_answers = 5;  // of 3 webhooks
  EXPECT_EQ(mismatch_now(), 3);
}

TEST(LossAuditTest, StoredWithoutAnAppendIsAMismatchToo) {
  Audited audited({});
  AppendOrFail(audited.server.log(), MakeNewEvent(1));  // not counted
  audited.audit.CompareIntake();
  EXPECT_EQ(audited.server.Metric(kMismatch), 1);
}

TEST(LossAuditTest, FindsNothingUnderLoadWithManyFiltersAndReconnects) {
  constexpr uint64_t kEvents = 6000;
  constexpr int kReaders = 12;
  constexpr const char* kNames[] = {"refunded.pass", "refunded.subscription", "refunded.pay_per_use"};
  const LogLines lines;
  StreamingServer::Options options;
  options.fan_out.window_bytes = 32 << 10;  // streams go to and fro between history and live
  Audited audited(std::move(options));
  StreamingServer& server = audited.server;
  std::atomic<bool> over = false;
  std::thread auditor([&] {
    while (!over) audited.audit.Audit();
  });
  std::thread appender([&] {
    for (uint64_t i = 1; i <= kEvents; ++i) {
      audited.Append(MakeNewEvent(i, kNames[i % 3], absl::StrCat("client-", i % 7)));
    }
  });
  std::vector<std::thread> readers;
  std::atomic<uint64_t> streams = 0;
  for (int reader = 0; reader < kReaders; ++reader) {
    readers.emplace_back([&, reader] {
      const auto stub = server.NewStub();
      std::mt19937 random(static_cast<unsigned>(reader));
      refundrelay::v1::Position position;
      while (position.sequence() < kEvents && !testing::Test::HasFailure()) {
        SubscribeRequest request = RequestOf(absl::StrCat("reader-", reader), kNames[reader % 3]);
        if (reader % 2 == 0) request.clear_filter();
        request.mutable_filter()->add_client_ids(absl::StrCat("client-", reader % 7));
        request.mutable_heartbeat_interval()->set_seconds(1);
        request.set_max_batch_events(8);  // so that each has to come back several times
        if (position.sequence() > 0) *request.mutable_after() = position;
        StreamReader stream(*stub, request);
        ++streams;
        EXPECT_TRUE(stream.Read().has_started());
        for (uint64_t messages = 1 + random() % 20; messages > 0 && position.sequence() < kEvents; --messages) {
          const auto response = stream.Read();
          if (response.has_batch()) position = response.batch().position();
          if (response.has_heartbeat()) position = response.heartbeat().position();
          if (response.has_caught_up()) position = response.caught_up().position();
        }
      }
    });
  }
  appender.join();
  for (std::thread& reader : readers) reader.join();
  server.AwaitOpenStreams(0);
  over = true;
  auditor.join();
  audited.audit.Audit();
  EXPECT_GE(streams.load(), 2u * kReaders) << "too few reconnects to prove anything";
  EXPECT_EQ(server.Metric(kMismatch), 0);
  EXPECT_EQ(server.Metric(kUnchecked), 0);
  // Each reader passed every event at least once; what it read twice was checked twice.
  EXPECT_GE(server.Metric(kChecked), kReaders * kEvents);
  EXPECT_TRUE(lines.With("loss audit").empty());
}

}  // namespace
}  // namespace refund_relay
