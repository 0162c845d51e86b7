// Positions kept by the server: CommitPosition and GetCommittedPosition.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "client/ready_call.h"
#include "grpcpp/client_context.h"
#include "refund_relay/position_keeper.h"
#include "refund_relay/position_text.h"
#include "refund_relay/rpc_error.h"
#include "refundrelay/v1/refund_event_service.grpc.pb.h"

namespace refund_relay {
namespace {

using refundrelay::v1::Position;
using refundrelay::v1::RefundEventService;

// Commits in a row whose outcome may stay unknown; an older one is no longer under way.
constexpr size_t kMaxDoubtful = 1000;

// A hash of 0 is one that its side did not know.
bool Equal(const Position& a, const Position& b) {
  const bool same_event = a.event_hash() == b.event_hash() || a.event_hash() == 0 || b.event_hash() == 0;
  return a.log_id() == b.log_id() && a.sequence() == b.sequence() && same_event;
}

class ServerPositionKeeper final : public PositionKeeper {
 public:
  ServerPositionKeeper(std::shared_ptr<Connection> connection, std::string subscriber_name, absl::Duration timeout)
      : connection_(std::move(connection)), subscriber_name_(std::move(subscriber_name)), timeout_(timeout) {}

  absl::StatusOr<std::optional<KeptPosition>> Load() override {
    const auto context = std::make_shared<grpc::ClientContext>();
    {
      absl::MutexLock lock(&mutex_);
      if (stopped_) return absl::CancelledError("stopped");
      loading_ = context;
    }
    auto kept = Get(*context);
    absl::MutexLock lock(&mutex_);
    loading_ = nullptr;
    return kept;
  }

  absl::Status Commit(const KeptPosition& kept) override {
    RpcError error = Send(kept);
    if (error.reason == "VERSION_CHANGED" && IsNoOtherProcess(kept.position)) error = Send(kept);
    if (error.ok()) {
      doubtful_.clear();
    } else if (IsPassing(error)) {
      // It may have been committed, or may yet be: then its version is ours, not another process's.
      doubtful_.push_back(kept.position);
      if (doubtful_.size() > kMaxDoubtful) doubtful_.pop_front();
    } else if (error.reason == "VERSION_CHANGED") {
      error.message =
          absl::StrCat("another process commits positions under the name ", subscriber_name_, ": ", error.message);
    }
    return StatusOf(error);
  }

  bool KeptByServer() const override { return true; }

  void StopLoading() override {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    if (loading_ != nullptr) loading_->TryCancel();
  }

 private:
  // The stub for one call, which `context` is made ready for.
  RefundEventService::Stub Prepare(grpc::ClientContext* context) {
    const std::shared_ptr<grpc::Channel> channel = connection_->channel();
    context->set_deadline(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(timeout_));
    context->set_wait_for_ready(MustWaitForReady(*channel));
    return RefundEventService::Stub(channel);
  }

  absl::StatusOr<std::optional<KeptPosition>> Get(grpc::ClientContext& context) {
    RefundEventService::Stub stub = Prepare(&context);
    refundrelay::v1::GetCommittedPositionRequest request;
    request.set_subscriber_name(subscriber_name_);
    refundrelay::v1::GetCommittedPositionResponse response;
    const RpcError error = RpcErrorOf(stub.GetCommittedPosition(&context, request, &response));
    if (!error.ok()) return StatusOf(error);
    version_ = response.version();
    if (!response.has_position()) return std::nullopt;
    log_id_ = response.position().log_id();
    return KeptPosition{response.position(), response.filter()};
  }

  RpcError Send(const KeptPosition& kept) {
    grpc::ClientContext context;
    RefundEventService::Stub stub = Prepare(&context);
    refundrelay::v1::CommitPositionRequest request;
    request.set_subscriber_name(subscriber_name_);
    *request.mutable_position() = kept.position;
    *request.mutable_filter() = kept.filter;
    request.set_expected_version(version_);
    refundrelay::v1::CommitPositionResponse response;
    const RpcError error = RpcErrorOf(stub.CommitPosition(&context, request, &response));
    if (error.ok()) {
      version_ = response.version();
      log_id_ = kept.position.log_id();
    }
    return error;
  }

  // Whether the version that is in force explains itself although it is not the one we knew; it is known then. Either
  // what is kept now is a commit of ours whose outcome we did not learn, or the log is another one, restored from a
  // backup with the position and version of that time, and `wanted` lies not behind it.
  bool IsNoOtherProcess(const Position& wanted) {
    const bool restored = !log_id_.empty() && wanted.log_id() != log_id_;
    if (doubtful_.empty() && !restored) return false;
    grpc::ClientContext context;
    const uint64_t version = version_;
    const auto kept = Get(context);
    if (kept.ok()) {
      if (restored && (!kept->has_value() || (*kept)->position.sequence() <= wanted.sequence())) return true;
      for (const Position& position : doubtful_) {
        if (kept->has_value() && Equal((*kept)->position, position)) return true;
      }
    }
    version_ = version;
    return false;
  }

  // Constant after construction.
  const std::shared_ptr<Connection> connection_;
  const std::string subscriber_name_;
  const absl::Duration timeout_;

  // Used by the thread of Load and Commit only.
  uint64_t version_ = 0;
  std::string log_id_;  // The log that `version_` is of; empty while nothing is kept.
  std::deque<Position> doubtful_;

  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<grpc::ClientContext> loading_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<PositionKeeper> MakeServerPositionKeeper(std::shared_ptr<Connection> connection,
                                                         std::string subscriber_name, absl::Duration timeout) {
  return std::make_unique<ServerPositionKeeper>(std::move(connection), std::move(subscriber_name), timeout);
}

}  // namespace refund_relay
