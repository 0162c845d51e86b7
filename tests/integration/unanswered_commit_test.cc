// A stop while a commit hangs in storage: the call is answered at the deadline, and the server ends.
#include <grpcpp/client_context.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "server/rpc/position_check.h"
#include "tests/testing/streaming_server.h"
#include "tests/testing/test_events.h"

namespace refund_relay {
namespace {

// Takes commits and never answers them while the server runs, as a log on a dead disk.
class SilentPositions final : public PositionStore {
 public:
  void Commit(PositionCommit, CommitDone done) override {
    done_ = std::move(done);
    taken_.Notify();
  }
  void Delete(std::string_view, std::optional<uint64_t>, DeleteDone) override {}
  std::optional<CommittedPosition> Get(std::string_view) override { return std::nullopt; }
  std::vector<CommittedPosition> List() override { return {}; }

  void AwaitCommit() { taken_.WaitForNotification(); }
  void AnswerLate() { done_(1); }

 private:
  absl::Notification taken_;
  CommitDone done_;
};

TEST(UnansweredCommitTest, AStopAnswersTheCallAndDoesNotWaitForTheDisk) {
  SilentPositions positions;
  StreamingServer::Options options;
  StorageOptions memory;
  memory.log = "memory";
  options.storage = *OpenStorage(memory);
  options.storage->positions = &positions;
  StreamingServer server(std::move(options));
  const auto stub = server.NewStub();
  refundrelay::v1::CommitPositionRequest request;
  request.set_subscriber_name("books");
  *request.mutable_position() = ToProto(server.log().Info().log_id, LogPosition{});
  grpc::Status status;
  std::thread caller([&] {
    grpc::ClientContext context;
    refundrelay::v1::CommitPositionResponse response;
    status = stub->CommitPosition(&context, request, &response);
  });
  positions.AwaitCommit();
  server.server().Stop(absl::Now());
  caller.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << status.error_message();
  positions.AnswerLate();  // goes nowhere
}

}  // namespace
}  // namespace refund_relay
