// refundctl check: whether a running server does its job for the vendor and for a subscriber; changes nothing there.
#include <chrono>
#include <iostream>
#include <memory>
#include <string>

#include "CLI/Error.hpp"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/printable.h"
#include "client/refundctl/command.h"
#include "client/refundctl/flag_checks.h"
#include "client/refundctl/http_post.h"
#include "client/refundctl/json_line.h"
#include "client/refundctl/session.h"
#include "client/refundctl/webhook_credentials.h"
#include "client/refundctl/webhook_sample.h"
#include "google/protobuf/wrappers.pb.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/generic/generic_stub.h"
#include "refund_relay/grpc_event_stream.h"

namespace refund_relay {
namespace {

constexpr int kUnauthorized = 401;
constexpr int kHealthServing = 1;  // grpc.health.v1.HealthCheckResponse.SERVING

struct CheckFlags {
  std::string url = "http://127.0.0.1:8080/webhooks/refund";
  std::string name;
};

// Prints what was found good, for people or as one JSON object a line.
int Good(const GlobalOptions& global, std::string_view check, std::string_view text) {
  std::cout << (global.output == OutputFormat::kText
                    ? absl::StrCat("ok: ", Printable(text))
                    : JsonLine("check").Add("check", check).Add("result", "ok").Add("text", text).Build())
            << std::endl;
  return std::cout.good() ? kExitOk : kExitLocal;
}

int RunCheckWebhooks(const CheckFlags& flags, const GlobalOptions& global) {
  NoticePrinter notices(std::cerr, global.output);
  const std::string body(WebhookSample("pass").value());
  // Nobody has this secret, so the body can never be taken for a webhook, not even by mistake.
  const std::string signature = SignWebhook(RandomRefundId() + RandomRefundId(), body);
  const auto answer =
      HttpPost(ParseHttpUrl(flags.url).value(), {{"Content-Type", "application/json"}, {kSignatureHeader, signature}},
               body, global.timeout, HttpTls{global.channel.ca_file, global.channel.server_name});
  if (!answer.ok()) {
    notices.Notice("error", absl::StrCat("error: ", std::string(answer.status().message())));
    return kExitUnreachable;
  }
  if (answer->status != kUnauthorized) {
    notices.Notice("error", absl::StrCat("error: a badly signed webhook was answered ", answer->status, " ",
                                         Printable(answer->reason), ", not 401, at ", flags.url));
    return kExitRefused;
  }
  return Good(global, "webhooks", absl::StrCat("a badly signed webhook is answered 401 at ", flags.url));
}

// The messages of grpc.health.v1 are in no Debian package for C++; these two have the same bytes: a string, and a
// number, as field 1.
grpc::Status AskHealth(const std::shared_ptr<grpc::Channel>& channel, const std::string& service,
                       absl::Duration timeout, int* serving_status) {
  grpc::TemplatedGenericStub<google::protobuf::StringValue, google::protobuf::Int32Value> stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(timeout));
  google::protobuf::StringValue request;
  request.set_value(service);
  google::protobuf::Int32Value response;
  grpc::Status status;
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", request, &queue);
  call->StartCall();
  call->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  *serving_status = response.value();
  return status;
}

int CheckHealth(const std::shared_ptr<grpc::Channel>& channel, const GlobalOptions& global, NoticePrinter& notices) {
  const std::string service = refundrelay::v1::RefundEventService::service_full_name();
  int serving_status = 0;
  const grpc::Status status = AskHealth(channel, service, global.timeout, &serving_status);
  if (!status.ok()) return ReportError(notices, RpcErrorOf(status));
  if (serving_status != kHealthServing) {
    notices.Notice("error", absl::StrCat("error: the health of ", service, " is ", serving_status, ", not SERVING"));
    return kExitRefused;
  }
  return Good(global, "health", absl::StrCat("the health of ", service, " is SERVING"));
}

int CheckLogInfo(const GlobalOptions& global, Session& session) {
  refundrelay::v1::GetLogInfoResponse info;
  const int failed =
      session.Ask(*session.event_stub, &Session::EventStub::GetLogInfo, refundrelay::v1::GetLogInfoRequest(), &info);
  if (failed != kExitOk) return failed;
  return Good(global, "log_info",
              absl::StrCat("GetLogInfo tells the log ", info.log_id(), ", which ends at ", info.last_sequence()));
}

// Starts after the latest event, reads the first message, and goes.
int CheckSubscribe(const CheckFlags& flags, const std::shared_ptr<Connection>& connection, const GlobalOptions& global,
                   NoticePrinter& notices) {
  refundrelay::v1::SubscribeRequest request;
  request.set_subscriber_name(flags.name);
  request.set_start_from(refundrelay::v1::START_FROM_LATEST);
  const auto streams = MakeGrpcEventStreamFactory(connection);
  const auto stream = streams->Open(request);
  refundrelay::v1::SubscribeResponse response;
  const auto outcome = stream->Read(global.timeout, &response);
  if (outcome != EventStream::ReadOutcome::kEnd) stream->Cancel();
  const RpcError end = stream->Finish();
  if (outcome == EventStream::ReadOutcome::kSilent) {
    return ReportError(notices, MakeRpcError(grpc::StatusCode::DEADLINE_EXCEEDED, "Subscribe said nothing in time"));
  }
  if (outcome == EventStream::ReadOutcome::kEnd) {
    return ReportError(notices,
                       end.ok() ? MakeRpcError(grpc::StatusCode::INTERNAL, "Subscribe ended without a word") : end);
  }
  if (!response.has_started()) {
    return ReportError(notices, MakeRpcError(grpc::StatusCode::INTERNAL, "Subscribe did not say `started` first"));
  }
  return Good(global, "subscribe",
              absl::StrCat("Subscribe as ", flags.name, " says started, at ", response.started().server_instance()));
}

int RunCheckSubscribe(const CheckFlags& flags, const GlobalOptions& global) {
  Session session(global);
  const auto connection = MakeConnection(global.address, global.channel).value();
  int failed = CheckHealth(connection->channel(), global, session.notices);
  if (failed == kExitOk) failed = CheckLogInfo(global, session);
  if (failed == kExitOk) failed = CheckSubscribe(flags, connection, global, session.notices);
  return failed;
}

std::string CheckUrl(const std::string& text) { return std::string(ParseHttpUrl(text).status().message()); }

}  // namespace

void AddCheckCommands(CLI::App& app, const GlobalOptions& global, CommandRun* run) {
  auto flags = std::make_shared<CheckFlags>();
  CLI::App* check = app.add_subcommand(
      "check", "Try whether a running server does its job; stores, commits and changes nothing there");
  check->require_subcommand(1);
  check->footer("Example:\n  refundctl check webhooks && refundctl check subscribe --name=books");

  CLI::App* webhooks = check->add_subcommand("webhooks", "A badly signed webhook must be answered 401");
  webhooks->add_option("--url", flags->url, "Where webhooks come in")
      ->type_name("URL")
      ->capture_default_str()
      ->check(CheckUrl);
  webhooks->footer("Example:\n  refundctl check webhooks --url=https://relay.example/webhooks/refund");
  webhooks->callback([flags, &global, run] { *run = [flags, &global] { return RunCheckWebhooks(*flags, global); }; });

  CLI::App* subscribe = check->add_subcommand(
      "subscribe", "Health must be SERVING, GetLogInfo must answer, and Subscribe must say `started`");
  subscribe->add_option("--name", flags->name, "Under which name to subscribe, for a moment")
      ->required()
      ->type_name("NAME")
      ->check(CheckSubscriberName);
  subscribe->footer("Example:\n  refundctl check subscribe --name=books --ca_file=ca.pem --token_file=books.token");
  subscribe->callback([flags, &global, run] { *run = [flags, &global] { return RunCheckSubscribe(*flags, global); }; });
}

}  // namespace refund_relay
