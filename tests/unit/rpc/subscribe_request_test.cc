// Subscribe requests: defaults, bounds, and what is refused by field.
#include "server/rpc/subscribe_request.h"

#include <string>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/log/memory_event_log.h"
#include "server/log/status_reason.h"
#include "server/rpc/committed_positions.h"
#include "server/rpc/position_check.h"
#include "tests/testing/test_events.h"

namespace refund_relay {
namespace {

using refundrelay::v1::SubscribeRequest;
using testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

SubscribeRequest Good() {
  SubscribeRequest request;
  request.set_subscriber_name("ledger-1");
  request.set_start_from(refundrelay::v1::START_FROM_EARLIEST);
  return request;
}

TEST(SubscribeRequestTest, DefaultsAreThoseOfTheContract) {
  const auto checked = CheckSubscribe(Good(), kNow);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->heartbeat_interval, absl::Seconds(15));
  EXPECT_EQ(checked->options.max_batch_bytes, size_t{256} << 10);
  EXPECT_GT(checked->options.max_batch_events, 0u);
  EXPECT_FALSE(checked->options.omit_personal_data);
}

struct BadRequestCase {
  const char* field;
  void (*spoil)(SubscribeRequest&);
};

class BadSubscribeTest : public testing::TestWithParam<BadRequestCase> {};

TEST_P(BadSubscribeTest, NamesTheField) {
  SubscribeRequest request = Good();
  GetParam().spoil(request);
  const auto checked = CheckSubscribe(request, kNow);
  EXPECT_EQ(checked.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(checked.status().message()), HasSubstr(GetParam().field));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadSubscribeTest,
    testing::Values(
        BadRequestCase{"subscriber_name", [](SubscribeRequest& r) { r.clear_subscriber_name(); }},
        BadRequestCase{"subscriber_name", [](SubscribeRequest& r) { r.set_subscriber_name("Ledger"); }},
        BadRequestCase{"subscriber_name", [](SubscribeRequest& r) { r.set_subscriber_name(std::string(64, 'a')); }},
        BadRequestCase{"start:", [](SubscribeRequest& r) { r.clear_start(); }},
        BadRequestCase{"start_from",
                       [](SubscribeRequest& r) { r.set_start_from(refundrelay::v1::START_FROM_UNSPECIFIED); }},
        BadRequestCase{"start_from",
                       [](SubscribeRequest& r) { r.set_start_from(static_cast<refundrelay::v1::StartFrom>(9)); }},
        BadRequestCase{"after.log_id", [](SubscribeRequest& r) { r.mutable_after()->set_sequence(1); }},
        BadRequestCase{"until.log_id", [](SubscribeRequest& r) { r.mutable_until()->set_sequence(1); }},
        BadRequestCase{"at_time", [](SubscribeRequest& r) { r.mutable_at_time()->set_seconds(1'800'000'001); }},
        BadRequestCase{"at_time", [](SubscribeRequest& r) { r.mutable_at_time()->set_nanos(-1); }},
        BadRequestCase{"heartbeat_interval",
                       [](SubscribeRequest& r) { r.mutable_heartbeat_interval()->set_nanos(999'999'999); }},
        BadRequestCase{"heartbeat_interval",
                       [](SubscribeRequest& r) { r.mutable_heartbeat_interval()->set_seconds(31); }},
        BadRequestCase{"max_batch_bytes", [](SubscribeRequest& r) { r.set_max_batch_bytes((2 << 20) + 1); }},
        BadRequestCase{"filter.event_names[0]",
                       [](SubscribeRequest& r) { r.mutable_filter()->add_event_names("x"); }}));

TEST(SubscribeRequestTest, EveryWrongFieldIsNamedAtOnce) {
  SubscribeRequest request;
  request.set_max_batch_bytes(1 << 30);
  const auto checked = CheckSubscribe(request, kNow);
  const std::string message(checked.status().message());
  EXPECT_THAT(message, HasSubstr("subscriber_name"));
  EXPECT_THAT(message, HasSubstr("start"));
  EXPECT_THAT(message, HasSubstr("max_batch_bytes"));
}

class ResolveTest : public testing::Test {
 protected:
  ResolveTest() {
    for (uint64_t i = 1; i <= 3; ++i) AppendOrFail(log_, MakeNewEvent(i));
  }
  ~ResolveTest() override { EXPECT_TRUE(log_.Close(absl::Now() + absl::Seconds(10)).ok()); }

  absl::StatusOr<Subscription::Options> Resolve(const SubscribeRequest& request) {
    const auto checked = CheckSubscribe(request, absl::Now());
    if (!checked.ok()) return checked.status();
    return ResolveSubscribe(*checked, {3, EventHash(MakeNewEvent(3).event_id)}, log_, log_.positions());
  }

  SubscribeRequest After(uint64_t sequence, uint64_t hash) {
    SubscribeRequest request = Good();
    *request.mutable_after() = ToProto(log_.Info().log_id, {sequence, hash});
    return request;
  }

  static std::string ReasonName(const absl::StatusOr<Subscription::Options>& options) {
    const auto reason = ReasonOf(options.status());
    return reason.has_value() ? reason->reason() : "none";
  }

  MemoryEventLog log_;
};

TEST_F(ResolveTest, StartsWhereItIsAskedTo) {
  EXPECT_EQ(Resolve(Good())->start.sequence, 0u);
  SubscribeRequest latest = Good();
  latest.set_start_from(refundrelay::v1::START_FROM_LATEST);
  EXPECT_EQ(Resolve(latest)->start.sequence, 3u);
  const auto after = Resolve(After(2, EventHash(MakeNewEvent(2).event_id)));
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(after->start, (LogPosition{2, EventHash(MakeNewEvent(2).event_id)}));
  SubscribeRequest at_time = Good();
  at_time.mutable_at_time()->set_seconds(1);
  EXPECT_EQ(Resolve(at_time)->start.sequence, 0u);
}

TEST_F(ResolveTest, AHashOfZeroIsNotCheckedButFilledIn) {
  EXPECT_EQ(Resolve(After(2, 0))->start.event_hash, EventHash(MakeNewEvent(2).event_id));
}

TEST_F(ResolveTest, WrongPositionsAreRefusedByName) {
  EXPECT_EQ(ReasonName(Resolve(After(4, 0))), "POSITION_AHEAD");
  EXPECT_EQ(ReasonName(Resolve(After(2, 12345))), "POSITION_MISMATCH");
  SubscribeRequest other = After(2, 0);
  other.mutable_after()->set_log_id("another-log");
  EXPECT_EQ(ReasonName(Resolve(other)), "LOG_ID_CHANGED");
  SubscribeRequest until = Good();
  *until.mutable_until() = ToProto(log_.Info().log_id, {9, 0});
  EXPECT_EQ(ReasonName(Resolve(until)), "POSITION_AHEAD");
}

class CommittedStartTest : public ResolveTest {
 protected:
  // Commits as the rpc does. The filter is the one that was subscribed with.
  absl::Status Commit(uint64_t sequence, const refundrelay::v1::EventFilter& filter = {}) {
    refundrelay::v1::CommitPositionRequest request;
    request.set_subscriber_name(Good().subscriber_name());
    *request.mutable_position() = ToProto(log_.Info().log_id, {sequence, 0});
    *request.mutable_filter() = filter;
    auto commit = CheckCommitPosition(request, log_);
    if (!commit.ok()) return commit.status();
    absl::Notification done;
    absl::Status status;
    log_.positions().Commit(*std::move(commit), [&](const absl::StatusOr<uint64_t>& version) {
      status = version.status();
      done.Notify();
    });
    done.WaitForNotification();
    return status;
  }

  static refundrelay::v1::EventFilter Names(std::initializer_list<const char*> names) {
    refundrelay::v1::EventFilter filter;
    for (const char* name : names) filter.add_event_names(name);
    return filter;
  }

  SubscribeRequest FromCommitted(const refundrelay::v1::EventFilter& filter = {}) {
    SubscribeRequest request = Good();
    request.set_start_from(refundrelay::v1::START_FROM_COMMITTED);
    *request.mutable_filter() = filter;
    return request;
  }
};

TEST_F(CommittedStartTest, WithoutACommitItIsTheEarliest) { EXPECT_EQ(Resolve(FromCommitted())->start.sequence, 0u); }

TEST_F(CommittedStartTest, ItIsAfterTheCommittedPosition) {
  ASSERT_TRUE(Commit(2).ok());
  EXPECT_EQ(Resolve(FromCommitted())->start, (LogPosition{2, EventHash(MakeNewEvent(2).event_id)}));
}

TEST_F(CommittedStartTest, AFilterThatAdmitsMoreIsRefusedAndToldWhatWasCommitted) {
  ASSERT_TRUE(Commit(2, Names({"refunded.pass", "refunded.subscription"})).ok());
  for (const auto& wider : {refundrelay::v1::EventFilter(), Names({"refunded.pass", "refunded.bundle"})}) {
    const auto refused = Resolve(FromCommitted(wider));
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
    ASSERT_EQ(ReasonName(refused), "FILTER_WIDENED");
    const std::string filter = ReasonOf(refused.status())->metadata().at("filter");
    EXPECT_THAT(filter, HasSubstr("\"event_names\":[\"refunded.pass\",\"refunded.subscription\"]"));
  }
}

TEST_F(CommittedStartTest, AFilterThatAdmitsNoMoreIsFine) {
  ASSERT_TRUE(Commit(2, Names({"refunded.pass", "refunded.subscription"})).ok());
  EXPECT_TRUE(Resolve(FromCommitted(Names({"refunded.pass"}))).ok());
  EXPECT_TRUE(Resolve(FromCommitted(Names({"refunded.subscription", "refunded.pass"}))).ok());
  refundrelay::v1::EventFilter by_type;
  by_type.add_event_types(refundrelay::v1::REFUND_EVENT_TYPE_PASS);
  EXPECT_TRUE(Resolve(FromCommitted(by_type)).ok()) << "a type is shorthand for its names";
  by_type.add_client_ids("client-a");
  EXPECT_TRUE(Resolve(FromCommitted(by_type)).ok());
}

TEST_F(CommittedStartTest, ClientIdsWidenToo) {
  refundrelay::v1::EventFilter one;
  one.add_client_ids("client-a");
  ASSERT_TRUE(Commit(2, one).ok());
  refundrelay::v1::EventFilter two = one;
  two.add_client_ids("client-b");
  EXPECT_EQ(ReasonName(Resolve(FromCommitted(two))), "FILTER_WIDENED");
  EXPECT_EQ(ReasonName(Resolve(FromCommitted())), "FILTER_WIDENED");
  EXPECT_TRUE(Resolve(FromCommitted(one)).ok());
}

TEST_F(CommittedStartTest, ACommitIsCheckedAgainstTheLog) {
  EXPECT_EQ(ReasonOf(Commit(4))->reason(), "POSITION_AHEAD");
  refundrelay::v1::CommitPositionRequest request;
  request.set_subscriber_name("not a name");
  *request.mutable_filter() = Names({"bought.pass"});
  const auto wrong = CheckCommitPosition(request, log_);
  EXPECT_EQ(wrong.status().code(), absl::StatusCode::kInvalidArgument);
  for (const char* field : {"subscriber_name", "position.log_id", "filter.event_names[0]"}) {
    EXPECT_THAT(std::string(wrong.status().message()), HasSubstr(field));
  }
  request.set_subscriber_name("books");
  request.clear_filter();
  *request.mutable_position() = ToProto(log_.Info().log_id, {2, 12345});
  EXPECT_EQ(ReasonOf(CheckCommitPosition(request, log_).status())->reason(), "POSITION_MISMATCH");
  request.mutable_position()->set_log_id("another-log");
  EXPECT_EQ(ReasonOf(CheckCommitPosition(request, log_).status())->reason(), "LOG_ID_CHANGED");
}

}  // namespace
}  // namespace refund_relay
