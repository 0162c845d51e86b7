#include "server/rpc/unary_methods.h"

#include <memory>
#include <string>
#include <utility>

#include "server/rpc/event_lookups.h"
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
auto NotBuiltYet(const std::string& rpc) {
  return
      [rpc](const Request&, typename UnaryMethod<Request, Response>::Answer answer) { answer(NotBuiltYetError(rpc)); };
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
          events, &EventService::RequestCommitPosition,
          NotBuiltYet<v1::CommitPositionRequest, v1::CommitPositionResponse>("CommitPosition")),
      Bind<EventService, v1::GetCommittedPositionRequest, v1::GetCommittedPositionResponse>(
          events, &EventService::RequestGetCommittedPosition,
          NotBuiltYet<v1::GetCommittedPositionRequest, v1::GetCommittedPositionResponse>("GetCommittedPosition")),
      Bind<AdminService, v1::ListSubscribersRequest, v1::ListSubscribersResponse>(
          admin, &AdminService::RequestListSubscribers,
          OnHistoryThread<v1::ListSubscribersRequest, v1::ListSubscribersResponse>(context, list_subscribers)),
      Bind<AdminService, v1::DeleteCommittedPositionRequest, v1::DeleteCommittedPositionResponse>(
          admin, &AdminService::RequestDeleteCommittedPosition,
          NotBuiltYet<v1::DeleteCommittedPositionRequest, v1::DeleteCommittedPositionResponse>(
              "DeleteCommittedPosition")),
      Bind<AdminService, v1::ListQuarantinedWebhooksRequest, v1::ListQuarantinedWebhooksResponse>(
          admin, &AdminService::RequestListQuarantinedWebhooks,
          NotBuiltYet<v1::ListQuarantinedWebhooksRequest, v1::ListQuarantinedWebhooksResponse>(
              "ListQuarantinedWebhooks")),
      Bind<AdminService, v1::RetryQuarantinedWebhooksRequest, v1::RetryQuarantinedWebhooksResponse>(
          admin, &AdminService::RequestRetryQuarantinedWebhooks,
          NotBuiltYet<v1::RetryQuarantinedWebhooksRequest, v1::RetryQuarantinedWebhooksResponse>(
              "RetryQuarantinedWebhooks")),
      Bind<AdminService, v1::DiscardQuarantinedWebhooksRequest, v1::DiscardQuarantinedWebhooksResponse>(
          admin, &AdminService::RequestDiscardQuarantinedWebhooks,
          NotBuiltYet<v1::DiscardQuarantinedWebhooksRequest, v1::DiscardQuarantinedWebhooksResponse>(
              "DiscardQuarantinedWebhooks")),
  };
}

}  // namespace refund_relay
