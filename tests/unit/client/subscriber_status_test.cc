// Every row of the contract's table of statuses: what the next request carries, or that the run ends, and with what.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "tests/unit/client/subscriber_fixture.h"

namespace refund_relay {
namespace {

using testing::ElementsAre;
using testing::Pair;
using testing::SizeIs;
using Code = grpc::StatusCode;
using End = SubscriberResult::End;

RpcError Error(Code code, const std::string& reason, const std::map<std::string, std::string>& metadata = {}) {
  RpcError error = MakeRpcError(code, "as the server says it", reason);
  error.metadata = metadata;
  return error;
}

enum class Then { kResumesForEver, kResumesFewTimes, kEnds };

struct Row {
  const char* name;
  RpcError error;
  Then then;
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

const Row kRows[] = {
    {"InvalidArgument", Error(Code::INVALID_ARGUMENT, "BAD_REQUEST"), Then::kEnds},
    {"PositionExpired", Error(Code::OUT_OF_RANGE, "POSITION_EXPIRED", {{"first_sequence", "51"}}), Then::kEnds},
    {"LogIdChanged", Error(Code::FAILED_PRECONDITION, "LOG_ID_CHANGED", {{"restored_from", "{}"}}), Then::kEnds},
    {"PositionAhead", Error(Code::FAILED_PRECONDITION, "POSITION_AHEAD"), Then::kEnds},
    {"PositionMismatch", Error(Code::FAILED_PRECONDITION, "POSITION_MISMATCH"), Then::kEnds},
    {"FilterWidened", Error(Code::FAILED_PRECONDITION, "FILTER_WIDENED", {{"filter", "{}"}}), Then::kEnds},
    {"EventUnknown", Error(Code::NOT_FOUND, "EVENT_UNKNOWN"), Then::kEnds},
    {"SubscriberLimit", Error(Code::RESOURCE_EXHAUSTED, "SUBSCRIBER_LIMIT"), Then::kResumesForEver},
    {"SlowSubscriber", MakeRpcError(Code::RESOURCE_EXHAUSTED, "SLOW_SUBSCRIBER at sequence 4"), Then::kResumesForEver},
    {"Overloaded", Error(Code::RESOURCE_EXHAUSTED, "OVERLOADED"), Then::kResumesForEver},
    {"Draining", Error(Code::UNAVAILABLE, "DRAINING"), Then::kResumesForEver},
    {"MaxStreamAge", Error(Code::UNAVAILABLE, "MAX_STREAM_AGE"), Then::kResumesForEver},
    {"PolicyChanged", Error(Code::UNAVAILABLE, "POLICY_CHANGED"), Then::kResumesForEver},
    {"StorageUnavailable", Error(Code::UNAVAILABLE, "STORAGE_UNAVAILABLE"), Then::kResumesForEver},
    {"Network", MakeRpcError(Code::UNAVAILABLE, "connection reset"), Then::kResumesForEver},
    {"ProxyTimeout", MakeRpcError(Code::DEADLINE_EXCEEDED, "proxy"), Then::kResumesForEver},
    {"ProxyReset", MakeRpcError(Code::CANCELLED, "proxy"), Then::kResumesForEver},
    {"Checksum", Error(Code::DATA_LOSS, "CHECKSUM", {{"sequence", "4"}}), Then::kEnds},
    {"Unauthenticated", MakeRpcError(Code::UNAUTHENTICATED, "who"), Then::kEnds},
    {"PermissionDenied", MakeRpcError(Code::PERMISSION_DENIED, "not yours"), Then::kEnds},
    {"Gap", Error(Code::INTERNAL, "GAP"), Then::kResumesFewTimes},
    {"Unexpected", Error(Code::UNKNOWN, "UNEXPECTED"), Then::kResumesFewTimes},
    {"NotBuiltYet", Error(Code::UNIMPLEMENTED, "NOT_BUILT_YET"), Then::kEnds},
};

class SubscriberStatusTest : public SubscriberTest, public testing::WithParamInterface<Row> {};

TEST_P(SubscriberStatusTest, MidStreamAndAtTheNextStart) {
  const Row& row = GetParam();
  // One event is handled, one more was only examined; then the status comes, and comes again for 20 streams.
  std::vector<StreamScript> scripts = {{{Started(0), Batch(0, {1}, 2)}, row.error}};
  for (int i = 0; i < 20; ++i) scripts.push_back({{}, row.error});
  const auto result = Run(std::move(scripts));
  EXPECT_THAT(sequences_, ElementsAre(1));
  EXPECT_EQ(result.end, End::kFailed);
  EXPECT_EQ(FormatPosition(*result.position), FormatPosition(At(2)));
  const size_t streams = streams_->requests.size();
  if (row.then == Then::kEnds) {
    EXPECT_EQ(streams, 1u);
  } else {
    EXPECT_EQ(streams, row.then == Then::kResumesForEver ? 22u : 5u);
  }
  for (size_t i = 1; i < streams; ++i) {
    auto expected = options_.request;
    *expected.mutable_after() = At(2);
    EXPECT_EQ(streams_->requests[i].SerializeAsString(), expected.SerializeAsString()) << "request " << i;
  }
  EXPECT_THAT(observer_->reconnects, SizeIs(streams - 1));
  // What ended it: the status with all its facts, or, after 22 streams, that the script is over.
  if (row.then == Then::kResumesForEver) {
    EXPECT_EQ(result.error.message, "the script is over");
  } else {
    EXPECT_EQ(result.error.code, row.error.code);
    EXPECT_EQ(result.error.reason, row.error.reason);
    EXPECT_EQ(result.error.message, row.error.message);
    EXPECT_EQ(result.error.metadata, row.error.metadata);
  }
}

INSTANTIATE_TEST_SUITE_P(Contract, SubscriberStatusTest, testing::ValuesIn(kRows),
                         [](const auto& param) { return param.param.name; });

TEST_F(SubscriberTest, AnExpiredPositionEndsTheRunWithWhatIsLostAndNothingIsSkipped) {
  const auto result = Run({{{Started(0), Batch(0, {1}, 1)}, Lost()},
                           {{}, Error(Code::OUT_OF_RANGE, "POSITION_EXPIRED", {{"first_sequence", "51"}})},
                           {{Started(50), Batch(50, {51}, 51)}, Lost()}});
  EXPECT_EQ(result.end, End::kFailed);
  EXPECT_THAT(result.error.metadata, ElementsAre(Pair("first_sequence", "51")));
  EXPECT_EQ(result.position->sequence(), 1u);
  EXPECT_THAT(sequences_, ElementsAre(1));
  EXPECT_THAT(streams_->requests, SizeIs(2));
}

}  // namespace
}  // namespace refund_relay
