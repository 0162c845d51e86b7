#include "server/rpc/unary_methods.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

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

// A method whose answer is computed at once, without blocking.
template <typename Service, typename Request, typename Response, typename Handler>
std::function<void(QueueThread&)> Bind(Service& service,
                                       void (Service::*request)(grpc::ServerContext*, Request*,
                                                                grpc::ServerAsyncResponseWriter<Response>*,
                                                                grpc::CompletionQueue*, grpc::ServerCompletionQueue*,
                                                                void*),
                                       Handler handler) {
  auto method = std::make_shared<UnaryMethod<Request, Response>>();
  method->request = [&service, request](grpc::ServerContext* context, Request* message,
                                        grpc::ServerAsyncResponseWriter<Response>* responder,
                                        grpc::ServerCompletionQueue* queue, void* tag) {
    (service.*request)(context, message, responder, queue, queue, tag);
  };
  method->handle = std::move(handler);
  return [method](QueueThread& thread) { UnaryCall<Request, Response>::WaitForNext(*method, thread); };
}

// Answers on a history thread, because `lookup` blocks on storage.
template <typename Request, typename Response, typename Lookup>
auto OnHistoryThread(CallContext& context, Lookup lookup) {
  return [&context, lookup](const Request& request, typename UnaryMethod<Request, Response>::Answer answer) {
    // Shared, because a turn that is refused is gone, and the call must still be answered.
    auto shared_answer = std::make_shared<typename UnaryMethod<Request, Response>::Answer>(std::move(answer));
    const bool queued = context.history.Run(
        [&request, lookup, shared_answer](EventLog& log) { (*shared_answer)(lookup(request, log)); });
    if (!queued) (*shared_answer)(absl::ResourceExhaustedError("too many reads of history wait; try again later"));
  };
}

template <typename Request, typename Response>
using AnswerOf = typename UnaryMethod<Request, Response>::Answer;

// Checked on a history thread, then committed by the log's writer.
auto CommitPositionHandler(CallContext& context) {
  return [&context](const v1::CommitPositionRequest& request,
                    AnswerOf<v1::CommitPositionRequest, v1::CommitPositionResponse> answer) {
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
  return [&context](const v1::DeleteCommittedPositionRequest& request,
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
  const auto get_event = [](const v1::GetEventRequest& request, EventLog& log) { return GetEvent(request, log); };
  const auto list_events = [&context](const v1::ListEventsRequest& request, EventLog& log) {
    return ListEvents(request, context.clock.Now(), log);
  };
  const auto list_subscribers = [&context](const v1::ListSubscribersRequest& request, EventLog& log) {
    return ListSubscribers(request, {context.streams, context.positions, context.write_stall_timeout},
                           context.clock.Now(), log);
  };
  const auto get_log_info = [&context](const v1::GetLogInfoRequest&,
                                       UnaryMethod<v1::GetLogInfoRequest, v1::GetLogInfoResponse>::Answer answer) {
    v1::GetLogInfoResponse response = GetLogInfo(context.log);
    response.set_server_instance(context.server_instance);
    response.set_server_version(context.server_version);
    answer(std::move(response));
  };
  const auto get_position = [&context](
                                const v1::GetCommittedPositionRequest& request,
                                AnswerOf<v1::GetCommittedPositionRequest, v1::GetCommittedPositionResponse> answer) {
    answer(GetCommittedPosition(request, context.log.Info().log_id, context.positions));
  };
  const auto list_quarantined = [&context](const v1::ListQuarantinedWebhooksRequest& request, EventLog&) {
    return ListQuarantinedWebhooks(request, context.quarantine);
  };
  const auto retry = [&context](
                         const v1::RetryQuarantinedWebhooksRequest& request,
                         AnswerOf<v1::RetryQuarantinedWebhooksRequest, v1::RetryQuarantinedWebhooksResponse> answer) {
    QuarantineRetry::Start(context, request,
                           context.pending->Hold<v1::RetryQuarantinedWebhooksResponse>(std::move(answer)));
  };
  const auto discard =
      [&context](const v1::DiscardQuarantinedWebhooksRequest& request,
                 AnswerOf<v1::DiscardQuarantinedWebhooksRequest, v1::DiscardQuarantinedWebhooksResponse> answer) {
        DiscardQuarantinedWebhooks(request, context.quarantine,
                                   context.pending->Hold<v1::DiscardQuarantinedWebhooksResponse>(std::move(answer)));
      };
  return {
      Bind<EventService, v1::GetEventRequest, v1::GetEventResponse>(
          events, &EventService::RequestGetEvent,
          OnHistoryThread<v1::GetEventRequest, v1::GetEventResponse>(context, get_event)),
      Bind<EventService, v1::ListEventsRequest, v1::ListEventsResponse>(
          events, &EventService::RequestListEvents,
          OnHistoryThread<v1::ListEventsRequest, v1::ListEventsResponse>(context, list_events)),
      Bind<EventService, v1::GetLogInfoRequest, v1::GetLogInfoResponse>(events, &EventService::RequestGetLogInfo,
                                                                        get_log_info),
      Bind<EventService, v1::CommitPositionRequest, v1::CommitPositionResponse>(
          events, &EventService::RequestCommitPosition, CommitPositionHandler(context)),
      Bind<EventService, v1::GetCommittedPositionRequest, v1::GetCommittedPositionResponse>(
          events, &EventService::RequestGetCommittedPosition, get_position),
      Bind<AdminService, v1::ListSubscribersRequest, v1::ListSubscribersResponse>(
          admin, &AdminService::RequestListSubscribers,
          OnHistoryThread<v1::ListSubscribersRequest, v1::ListSubscribersResponse>(context, list_subscribers)),
      Bind<AdminService, v1::DeleteCommittedPositionRequest, v1::DeleteCommittedPositionResponse>(
          admin, &AdminService::RequestDeleteCommittedPosition, DeletePositionHandler(context)),
      Bind<AdminService, v1::ListQuarantinedWebhooksRequest, v1::ListQuarantinedWebhooksResponse>(
          admin, &AdminService::RequestListQuarantinedWebhooks,
          OnHistoryThread<v1::ListQuarantinedWebhooksRequest, v1::ListQuarantinedWebhooksResponse>(context,
                                                                                                   list_quarantined)),
      Bind<AdminService, v1::RetryQuarantinedWebhooksRequest, v1::RetryQuarantinedWebhooksResponse>(
          admin, &AdminService::RequestRetryQuarantinedWebhooks, retry),
      Bind<AdminService, v1::DiscardQuarantinedWebhooksRequest, v1::DiscardQuarantinedWebhooksResponse>(
          admin, &AdminService::RequestDiscardQuarantinedWebhooks, discard),
  };
}

}  // namespace refund_relay
