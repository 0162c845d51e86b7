#include "server/rpc/unary_methods.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "server/rpc/access_checks.h"
#include "server/rpc/committed_positions.h"
#include "server/rpc/event_lookups.h"
#include "server/rpc/position_check.h"
#include "server/rpc/quarantine_calls.h"
#include "server/rpc/quarantine_retry.h"
#include "server/rpc/status_table.h"
#include "server/rpc/subscriber_list.h"
#include "server/rpc/unary_call.h"

namespace refund_relay {
namespace {

namespace v1 = refundrelay::v1;

// A method of the name `name` whose calls `handler` takes, without blocking, once it is known who makes them. Those of
// AdminService are for administrators only.
template <typename Service, typename Base, typename Request, typename Response, typename Handler>
std::function<void(QueueThread&)> Bind(CallContext& context, std::string_view name, Service& service,
                                       void (Base::*request)(grpc::ServerContext*, Request*,
                                                             grpc::ServerAsyncResponseWriter<Response>*,
                                                             grpc::CompletionQueue*, grpc::ServerCompletionQueue*,
                                                             void*),
                                       Handler handler) {
  auto method = std::make_shared<UnaryMethod<Request, Response>>();
  method->access = &context.access;
  method->context = &context;
  method->name = name;
  method->request = [&service, request](grpc::ServerContext* server_context, Request* message,
                                        grpc::ServerAsyncResponseWriter<Response>* responder,
                                        grpc::ServerCompletionQueue* queue, void* tag) {
    (service.*request)(server_context, message, responder, queue, queue, tag);
  };
  method->handle = [handler = std::move(handler)](const Request& message, const Caller& caller,
                                                  typename UnaryMethod<Request, Response>::Answer answer) {
    if constexpr (std::is_same_v<Service, AdminService>) {
      if (absl::Status allowed = CheckMayAdminister(caller); !allowed.ok()) {
        answer(std::move(allowed));
        return;
      }
    }
    handler(message, caller, std::move(answer));
  };
  return [method](QueueThread& thread) { UnaryCall<Request, Response>::WaitForNext(*method, thread); };
}

// Answers on a history thread, because `lookup` blocks on storage.
template <typename Lookup>
auto OnHistoryThread(CallContext& context, Lookup lookup) {
  return [&context, lookup](const auto& request, const Caller& caller, auto answer) {
    // Shared, because a turn that is refused is gone, and the call must still be answered.
    auto shared_answer = std::make_shared<decltype(answer)>(std::move(answer));
    const bool queued = context.history.Run(
        [&request, &caller, lookup, shared_answer](EventLog& log) { (*shared_answer)(lookup(request, caller, log)); });
    if (!queued) (*shared_answer)(absl::ResourceExhaustedError("too many reads of history wait; try again later"));
  };
}

template <typename Request, typename Response>
using AnswerOf = typename UnaryMethod<Request, Response>::Answer;

// Checked on a history thread, then committed by the log's writer.
auto CommitPositionHandler(CallContext& context) {
  return [&context](const v1::CommitPositionRequest& request, const Caller& caller,
                    AnswerOf<v1::CommitPositionRequest, v1::CommitPositionResponse> answer) {
    absl::Status allowed = CheckMayCommitFor(caller, request.subscriber_name());
    allowed.Update(CheckCommittedFilter(caller, request));
    if (!allowed.ok()) {
      answer(std::move(allowed));
      return;
    }
    auto shared_answer = std::make_shared<decltype(answer)>(std::move(answer));
    const bool queued = context.history.Run([&context, &request, shared_answer](EventLog& log) {
      absl::StatusOr<PositionCommit> commit = CheckCommitPosition(request, log);
      if (!commit.ok()) {
        (*shared_answer)(commit.status());
        return;
      }
      context.positions.Commit(*std::move(commit),
                               context.pending->Hold<uint64_t>([shared_answer](absl::StatusOr<uint64_t> version) {
                                 if (!version.ok()) {
                                   (*shared_answer)(version.status());
                                   return;
                                 }
                                 v1::CommitPositionResponse response;
                                 response.set_version(*version);
                                 (*shared_answer)(std::move(response));
                               }));
    });
    if (!queued) (*shared_answer)(absl::ResourceExhaustedError("too many reads of history wait; try again later"));
  };
}

auto DeletePositionHandler(CallContext& context) {
  return [&context](const v1::DeleteCommittedPositionRequest& request, const Caller&,
                    AnswerOf<v1::DeleteCommittedPositionRequest, v1::DeleteCommittedPositionResponse> answer) {
    if (absl::Status checked = CheckDeleteCommittedPosition(request); !checked.ok()) {
      answer(std::move(checked));
      return;
    }
    std::optional<uint64_t> expected;
    if (request.has_expected_version()) expected = request.expected_version();
    auto deleted = [&context, answer = std::move(answer)](absl::StatusOr<CommittedPosition> position) mutable {
      if (!position.ok()) {
        answer(position.status());
        return;
      }
      v1::DeleteCommittedPositionResponse response;
      *response.mutable_position() = ToProto(context.log.Info().log_id, position->position);
      answer(std::move(response));
    };
    context.positions.Delete(request.subscriber_name(), expected,
                             context.pending->Hold<CommittedPosition>(std::move(deleted)));
  };
}

}  // namespace

std::vector<std::function<void(QueueThread&)>> BindUnaryMethods(EventService& events, AdminService& admin,
                                                                CallContext& context) {
  const auto get_event = [](const v1::GetEventRequest& request, const Caller& caller, EventLog& log) {
    return GetEvent(request, caller.View(), log);
  };
  const auto list_events = [&context](const v1::ListEventsRequest& request, const Caller& caller,
                                      EventLog& log) -> absl::StatusOr<v1::ListEventsResponse> {
    if (absl::Status allowed = CheckMayLookUp(caller, request); !allowed.ok()) return allowed;
    const bool by_refund = !request.refund_id().empty() || !request.payment_gateway_refund_id().empty();
    return ListEvents(request, by_refund ? caller.ViewByRefund() : caller.View(), context.clock.Now(), log);
  };
  const auto list_subscribers = [&context](const v1::ListSubscribersRequest& request, const Caller&, EventLog& log) {
    return ListSubscribers(request, {context.streams, context.positions, context.write_stall_timeout},
                           context.clock.Now(), log);
  };
  const auto get_log_info = [&context](const v1::GetLogInfoRequest&, const Caller&,
                                       UnaryMethod<v1::GetLogInfoRequest, v1::GetLogInfoResponse>::Answer answer) {
    v1::GetLogInfoResponse response = GetLogInfo(context.log);
    response.set_server_instance(context.server_instance);
    response.set_server_version(context.server_version);
    answer(std::move(response));
  };
  const auto get_position = [&context](
                                const v1::GetCommittedPositionRequest& request, const Caller& caller,
                                AnswerOf<v1::GetCommittedPositionRequest, v1::GetCommittedPositionResponse> answer) {
    if (absl::Status allowed = CheckMayCommitFor(caller, request.subscriber_name()); !allowed.ok()) {
      answer(std::move(allowed));
      return;
    }
    answer(GetCommittedPosition(request, context.log.Info().log_id, context.positions));
  };
  const auto list_quarantined = [&context](const v1::ListQuarantinedWebhooksRequest& request, const Caller& caller,
                                           EventLog&) {
    return ListQuarantinedWebhooks(request, caller.SeesQuarantinedBodies(), context.quarantine);
  };
  const auto retry = [&context](
                         const v1::RetryQuarantinedWebhooksRequest& request, const Caller&,
                         AnswerOf<v1::RetryQuarantinedWebhooksRequest, v1::RetryQuarantinedWebhooksResponse> answer) {
    QuarantineRetry::Start(context, request,
                           context.pending->Hold<v1::RetryQuarantinedWebhooksResponse>(std::move(answer)));
  };
  const auto discard =
      [&context](const v1::DiscardQuarantinedWebhooksRequest& request, const Caller&,
                 AnswerOf<v1::DiscardQuarantinedWebhooksRequest, v1::DiscardQuarantinedWebhooksResponse> answer) {
        DiscardQuarantinedWebhooks(request, context.quarantine,
                                   context.pending->Hold<v1::DiscardQuarantinedWebhooksResponse>(std::move(answer)));
      };
  return {
      Bind(context, "GetEvent", events, &EventService::RequestGetEvent, OnHistoryThread(context, get_event)),
      Bind(context, "ListEvents", events, &EventService::RequestListEvents, OnHistoryThread(context, list_events)),
      Bind(context, "GetLogInfo", events, &EventService::RequestGetLogInfo, get_log_info),
      Bind(context, "CommitPosition", events, &EventService::RequestCommitPosition, CommitPositionHandler(context)),
      Bind(context, "GetCommittedPosition", events, &EventService::RequestGetCommittedPosition, get_position),
      Bind(context, "ListSubscribers", admin, &AdminService::RequestListSubscribers,
           OnHistoryThread(context, list_subscribers)),
      Bind(context, "DeleteCommittedPosition", admin, &AdminService::RequestDeleteCommittedPosition,
           DeletePositionHandler(context)),
      Bind(context, "ListQuarantinedWebhooks", admin, &AdminService::RequestListQuarantinedWebhooks,
           OnHistoryThread(context, list_quarantined)),
      Bind(context, "RetryQuarantinedWebhooks", admin, &AdminService::RequestRetryQuarantinedWebhooks, retry),
      Bind(context, "DiscardQuarantinedWebhooks", admin, &AdminService::RequestDiscardQuarantinedWebhooks, discard),
  };
}

}  // namespace refund_relay
