// Streams over real gRPC: silence, cancelling, and the status at the end.
#include "refund_relay/grpc_event_stream.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "refund_relay/connection.h"
#include "tests/unit/client/fake_event_service.h"
#include "tests/unit/client/reserved_port.h"
#include "tests/unit/client/scripted_streams.h"

namespace refund_relay {
namespace {

using Outcome = EventStream::ReadOutcome;

class GrpcEventStreamTest : public testing::Test {
 protected:
  FakeEventService service_;
  std::unique_ptr<EventStreamFactory> streams_ = MakeGrpcEventStreamFactory(MakeConnection(service_.address()));
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

TEST_F(GrpcEventStreamTest, AfterASilentStreamTheChannelIsReplaced) {
  FakeEventService other;
  int made = 0;
  streams_ = MakeGrpcEventStreamFactory(
      std::make_shared<Connection>([&] { return MakeChannel(made++ == 0 ? service_.address() : other.address()); }));
  service_.AddStream({{Started(1)}, {}, false});
  service_.AddStream({{Started(2)}, {}, true});
  other.AddStream({{Started(3)}, {}, false});

  auto stream = streams_->Open({});
  while (stream->Read(absl::Seconds(30), &response_) == Outcome::kMessage) {
  }
  stream = streams_->Open({});
  EXPECT_EQ(made, 1) << "a stream that the server has ended";
  ASSERT_EQ(stream->Read(absl::Seconds(30), &response_), Outcome::kMessage);
  EXPECT_EQ(stream->Read(absl::Milliseconds(20), &response_), Outcome::kSilent);
  stream.reset();

  stream = streams_->Open({});
  EXPECT_EQ(made, 2);
  ASSERT_EQ(stream->Read(absl::Seconds(30), &response_), Outcome::kMessage);
  EXPECT_EQ(response_.started().position().sequence(), 3u);
}

TEST(GrpcEventStreamWithoutServerTest, EndsAsUnavailable) {
  const auto streams = MakeGrpcEventStreamFactory(MakeConnection("127.0.0.1:1"));
  const auto stream = streams->Open({});
  refundrelay::v1::SubscribeResponse response;
  EXPECT_EQ(stream->Read(absl::Seconds(30), &response), Outcome::kEnd);
  EXPECT_TRUE(IsUnreachable(stream->Finish()));
}

class GrpcEventStreamReconnectTest : public testing::Test {
 protected:
  // A stream on a channel whose first attempt to connect has failed: it waits for a connection.
  std::unique_ptr<EventStream> OpenAfterAFailure() {
    const auto failed = streams_->Open({});
    EXPECT_EQ(failed->Read(absl::Seconds(30), &response_), Outcome::kEnd);
    const RpcError status = failed->Finish();
    EXPECT_EQ(status.code, grpc::StatusCode::UNAVAILABLE);
    EXPECT_NE(status.message, "") << "the first stream tells why there is no connection";
    return streams_->Open({});
  }

  ReservedPort port_;
  std::unique_ptr<EventStreamFactory> streams_ = MakeGrpcEventStreamFactory(MakeConnection(port_.address()));
  refundrelay::v1::SubscribeResponse response_;
};

TEST_F(GrpcEventStreamReconnectTest, AServerThatStartsLaterIsReachedByAStreamThatWaits) {
  const auto stream = OpenAfterAFailure();
  EXPECT_EQ(stream->Read(absl::Milliseconds(50), &response_), Outcome::kSilent);
  FakeEventService service(port_.address());
  service.AddStream({{Started(3)}, {}, true});
  EXPECT_EQ(stream->Read(absl::Seconds(30), &response_), Outcome::kMessage);
}

TEST_F(GrpcEventStreamReconnectTest, AServerThatRestartsIsReachedByOneOfTheNextStreams) {
  {
    FakeEventService service(port_.address());
    service.AddStream({{Started(3)}, {}, false});
    const auto stream = streams_->Open({});
    ASSERT_EQ(stream->Read(absl::Seconds(30), &response_), Outcome::kMessage);
    ASSERT_EQ(stream->Read(absl::Seconds(30), &response_), Outcome::kEnd);
  }
  auto stream = streams_->Open({});
  stream->Read(absl::Milliseconds(50), &response_);  // nobody is there: it ends, or waits for a connection
  stream.reset();
  FakeEventService service(port_.address());
  service.AddStream({{Started(4)}, {}, true});
  // One may meet the end of the old connection, and one a refusal from before the start: the third one waits.
  Outcome outcome = Outcome::kEnd;
  for (int i = 0; i < 3 && outcome == Outcome::kEnd; ++i) {
    stream = streams_->Open({});
    outcome = stream->Read(absl::Seconds(30), &response_);
  }
  EXPECT_EQ(outcome, Outcome::kMessage);
}

TEST_F(GrpcEventStreamReconnectTest, AStreamThatWaitsCanBeCancelled) {
  const auto stream = OpenAfterAFailure();
  std::thread canceller([&stream] { stream->Cancel(); });
  EXPECT_EQ(stream->Read(absl::Hours(1), &response_), Outcome::kEnd);
  canceller.join();
  EXPECT_EQ(stream->Finish().code, grpc::StatusCode::CANCELLED);
}

}  // namespace
}  // namespace refund_relay
