#include "refund_relay/grpc_event_stream.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "client/ready_call.h"
#include "grpcpp/client_context.h"
#include "grpcpp/completion_queue.h"
#include "refundrelay/v1/refund_event_service.grpc.pb.h"

namespace refund_relay {
namespace {

using refundrelay::v1::RefundEventService;
using refundrelay::v1::SubscribeRequest;
using refundrelay::v1::SubscribeResponse;

// On the monotonic clock, so that setting the wall clock kills no stream.
gpr_timespec DeadlineAfter(absl::Duration timeout) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(absl::ToInt64Nanoseconds(timeout), GPR_TIMESPAN));
}

class GrpcEventStream final : public EventStream {
 public:
  // `silent` tells whether the last read was in vain.
  GrpcEventStream(const std::shared_ptr<grpc::Channel>& channel, const SubscribeRequest& request, bool* silent)
      : silent_(*silent) {
    context_.set_wait_for_ready(MustWaitForReady(*channel));
    reader_ = RefundEventService::Stub(channel).PrepareAsyncSubscribe(&context_, request, &queue_);
    reader_->StartCall(this);
    pending_ = true;
  }

  ~GrpcEventStream() override {
    if (!finished_) {
      Cancel();
      Finish();
    }
    queue_.Shutdown();
    void* tag;
    bool ok;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  ReadOutcome Read(absl::Duration timeout, SubscribeResponse* response) override {
    const gpr_timespec deadline = DeadlineAfter(timeout);
    for (;;) {
      if (!pending_) {
        reading_ = true;
        pending_ = true;
        reader_->Read(&incoming_, this);
      }
      const auto ok = Await(deadline);
      silent_ = !ok.has_value();
      if (silent_) return ReadOutcome::kSilent;
      if (!*ok) return ReadOutcome::kEnd;
      if (std::exchange(reading_, false)) {
        response->Swap(&incoming_);
        return ReadOutcome::kMessage;
      }
      // What has ended was the start of the call: read now.
    }
  }

  RpcError Finish() override {
    if (pending_) Await(gpr_inf_future(GPR_CLOCK_MONOTONIC));
    grpc::Status status;
    reader_->Finish(&status, this);
    pending_ = true;
    Await(gpr_inf_future(GPR_CLOCK_MONOTONIC));
    finished_ = true;
    return RpcErrorOf(status);
  }

  void Cancel() override { context_.TryCancel(); }

 private:
  // Whether the one pending operation succeeded; nullopt if it is still pending at `deadline`.
  std::optional<bool> Await(gpr_timespec deadline) {
    void* tag;
    bool ok = false;
    if (queue_.AsyncNext(&tag, &ok, deadline) != grpc::CompletionQueue::GOT_EVENT) return std::nullopt;
    pending_ = false;
    return ok;
  }

  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::ClientAsyncReader<SubscribeResponse>> reader_;
  // The target of the pending read: ours, because it outlives a Read that timed out.
  SubscribeResponse incoming_;
  bool pending_ = false;  // One operation is under way; there is never a second one.
  bool reading_ = false;  // That operation is a read.
  bool finished_ = false;
  bool& silent_;  // the factory's
};

class GrpcEventStreamFactory final : public EventStreamFactory {
 public:
  explicit GrpcEventStreamFactory(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}

  std::unique_ptr<EventStream> Open(const SubscribeRequest& request) override {
    if (silent_) connection_->Leave(channel_);
    silent_ = false;
    channel_ = connection_->channel();
    return std::make_unique<GrpcEventStream>(channel_, request, &silent_);
  }

 private:
  const std::shared_ptr<Connection> connection_;
  std::shared_ptr<grpc::Channel> channel_;  // of the last stream
  bool silent_ = false;                     // that one said nothing when it was last read
};

}  // namespace

std::unique_ptr<EventStreamFactory> MakeGrpcEventStreamFactory(std::shared_ptr<Connection> connection) {
  return std::make_unique<GrpcEventStreamFactory>(std::move(connection));
}

}  // namespace refund_relay
