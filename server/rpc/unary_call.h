// UnaryCall: one call of a unary method, from request to last tag.
#ifndef REFUND_RELAY_SERVER_RPC_UNARY_CALL_H_
#define REFUND_RELAY_SERVER_RPC_UNARY_CALL_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/async_unary_call.h>

#include <atomic>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "server/rpc/access_control.h"
#include "server/rpc/call_context.h"
#include "server/rpc/queue_thread.h"
#include "server/rpc/status_table.h"

namespace refund_relay {

// How calls of one method are taken and answered. Lives as long as the server.
template <typename Request, typename Response>
struct UnaryMethod {
  // Answers the call; once, from any thread.
  using Answer = absl::AnyInvocable<void(absl::StatusOr<Response>)>;
  using Responder = grpc::ServerAsyncResponseWriter<Response>;

  // Asks gRPC for the next call: the service's RequestXxx.
  absl::AnyInvocable<void(grpc::ServerContext*, Request*, Responder*, grpc::ServerCompletionQueue*, void* tag) const>
      request;
  // Handles a call of an authentic caller on its queue thread; must not block. `request` and `caller` live until the
  // answer.
  absl::AnyInvocable<void(const Request& request, const Caller& caller, Answer answer) const> handle;
  // Tells who calls, and logs refusals under `name`.
  AccessControl* access = nullptr;
  CallContext* context = nullptr;
  std::string_view name;
};

// Owns itself: dies with its last tag.
template <typename Request, typename Response>
class UnaryCall final : private QueueThread::Tag {
 public:
  using Method = UnaryMethod<Request, Response>;

  // Waits for the next call of `method` on `thread`; then waits for another. Both must outlive the call.
  static void WaitForNext(const Method& method, QueueThread& thread) {
    auto* const call = new UnaryCall(method, thread);
    method.request(&call->context_, &call->request_, &call->responder_, thread.queue(), call);
  }

 private:
  UnaryCall(const Method& method, QueueThread& thread) : method_(method), thread_(thread) { thread_.CallBegan(); }
  ~UnaryCall() override { thread_.CallEnded(answered_); }

  void OnComplete(bool ok) override {
    if (!ok || answered_) {
      handed_back_.load(std::memory_order_acquire);
      delete this;
      return;
    }
    thread_.CallMatched();
    WaitForNext(method_, thread_);
    answered_ = true;
    caller_ = method_.access->Identify(context_);
    if (absl::Status known = CheckAuthentic(caller_); !known.ok()) {
      Answer(std::move(known));
      return;
    }
    method_.context->input->CallBegan(context_.peer());
    method_.handle(request_, caller_, [this](absl::StatusOr<Response> response) { Answer(std::move(response)); });
  }

  void Answer(absl::StatusOr<Response> response) {
    if (caller_.result() != CallerResult::kAuthentic || absl::IsPermissionDenied(response.status())) {
      method_.access->LogRefusal(method_.name, caller_, context_.peer(), response.status());
    }
    handed_back_.store(true, std::memory_order_release);
    if (response.ok()) {
      responder_.Finish(*response, grpc::Status::OK, this);
    } else {
      responder_.FinishWithError(ToGrpcStatus(response.status()), this);
    }
  }

  const Method& method_;
  QueueThread& thread_;
  grpc::ServerContext context_;
  Request request_;
  Caller caller_;
  grpc::ServerAsyncResponseWriter<Response> responder_{&context_};
  bool answered_ = false;  // the next tag is the last
  // What the thread that answers did with this call comes before its death. gRPC's queue orders the two as well, but
  // inside a library that ThreadSanitizer does not see.
  std::atomic<bool> handed_back_ = false;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_UNARY_CALL_H_
