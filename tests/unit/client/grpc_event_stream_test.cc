// Streams over real gRPC: silence, cancelling, and the status at the end.
#include "client/grpc_event_stream.h"

#include <gtest/gtest.h>

#include <thread>

#include "client/channel.h"
#include "tests/unit/client/fake_event_service.h"
#include "tests/unit/client/scripted_streams.h"

namespace refund_relay {
namespace {

using Outcome = EventStream::ReadOutcome;

class GrpcEventStreamTest : public testing::Test {
 protected:
  FakeEventService service_;
  std::unique_ptr<EventStreamFactory> streams_ = MakeGrpcEventStreamFactory(MakeChannel(service_.address()));
  refundrelay::v1::SubscribeResponse response_;
};

TEST_F(GrpcEventStreamTest, ReadsToTheEndAndTellsTheStatusWithItsReason) {
  service_.AddStream({{Started(3), HeartbeatAt(4)}, RichError(grpc::StatusCode::UNAVAILABLE, "bye", "DRAINING")});
  const auto stream = streams_->Open({});
  ASSERT_EQ(stream->Read(absl::Seconds(30), &response_), Outcome::kMessage);
  EXPECT_EQ(response_.started().position().sequence(), 3u);
  ASSERT_EQ(stream->Read(absl::Seconds(30), &response_), Outcome::kMessage);
  EXPECT_TRUE(response_.has_heartbeat());
  EXPECT_EQ(stream->Read(absl::Seconds(30), &response_), Outcome::kEnd);
  const RpcError status = stream->Finish();
  EXPECT_EQ(status.code, grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(status.reason, "DRAINING");
}

TEST_F(GrpcEventStreamTest, ASilentStreamCanBeReadOnOrCancelled) {
  service_.AddStream({{Started(3)}, {}, true});
  const auto stream = streams_->Open({});
  ASSERT_EQ(stream->Read(absl::Seconds(30), &response_), Outcome::kMessage);
  EXPECT_EQ(stream->Read(absl::Milliseconds(20), &response_), Outcome::kSilent);
  EXPECT_EQ(stream->Read(absl::Milliseconds(20), &response_), Outcome::kSilent);
  stream->Cancel();
  EXPECT_EQ(stream->Finish().code, grpc::StatusCode::CANCELLED);
}

TEST_F(GrpcEventStreamTest, CancelEndsABlockedRead) {
  service_.AddStream({{Started(3)}, {}, true});
  const auto stream = streams_->Open({});
  ASSERT_EQ(stream->Read(absl::Seconds(30), &response_), Outcome::kMessage);
  std::thread canceller([&stream] { stream->Cancel(); });
  EXPECT_EQ(stream->Read(absl::Hours(1), &response_), Outcome::kEnd);
  canceller.join();
  EXPECT_EQ(stream->Finish().code, grpc::StatusCode::CANCELLED);
}

TEST_F(GrpcEventStreamTest, AStreamMayGoWithoutHavingBeenFinished) {
  service_.AddStream({{Started(3)}, {}, true});
  const auto stream = streams_->Open({});
  EXPECT_EQ(stream->Read(absl::Seconds(30), &response_), Outcome::kMessage);
}

TEST(GrpcEventStreamWithoutServerTest, EndsAsUnavailable) {
  const auto streams = MakeGrpcEventStreamFactory(MakeChannel("127.0.0.1:1"));
  const auto stream = streams->Open({});
  refundrelay::v1::SubscribeResponse response;
  EXPECT_EQ(stream->Read(absl::Seconds(30), &response), Outcome::kEnd);
  EXPECT_TRUE(IsUnreachable(stream->Finish()));
}

}  // namespace
}  // namespace refund_relay
