// One command's connection and printers.
#ifndef REFUND_RELAY_CLIENT_REFUNDCTL_SESSION_H_
#define REFUND_RELAY_CLIENT_REFUNDCTL_SESSION_H_

#include <chrono>
#include <iostream>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/refundctl/advice.h"
#include "client/refundctl/command.h"
#include "client/refundctl/event_printer.h"
#include "client/refundctl/exit_code.h"
#include "client/refundctl/notice_printer.h"
#include "grpcpp/client_context.h"
#include "refund_relay/channel.h"
#include "refund_relay/rpc_error.h"
#include "refundrelay/v1/admin_service.grpc.pb.h"
#include "refundrelay/v1/refund_event_service.grpc.pb.h"

namespace refund_relay {

// For commands that ask single questions, each with a deadline. Not thread-safe.
class Session {
 public:
  // `global` outlives it.
  explicit Session(const GlobalOptions& global, Command command = Command::kOther)
      : Session(global, command, MakeChannel(global.address, global.channel).value()) {}

  // One call, which blocks for --timeout at most. Returns kExitOk with `*response` filled, or prints the error and
  // returns its exit code.
  template <typename Stub, typename Call, typename Request, typename Response>
  int Ask(Stub& stub, Call call, const Request& request, Response* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(global_.timeout));
    const grpc::Status status = (stub.*call)(&context, request, response);
    return status.ok() ? kExitOk : ReportError(notices, RpcErrorOf(status));
  }

  // The exit code after `printed`.
  int Finish(const absl::Status& printed) {
    if (printed.ok()) return kExitOk;
    return ReportError(notices, OutputFailed(std::string(printed.message().data(), printed.message().size())));
  }

  using EventStub = refundrelay::v1::RefundEventService::Stub;
  using AdminStub = refundrelay::v1::AdminService::Stub;

  const std::unique_ptr<EventStub> event_stub;
  const std::unique_ptr<AdminStub> admin_stub;
  EventPrinter events;
  NoticePrinter notices;

 private:
  Session(const GlobalOptions& global, Command command, const std::shared_ptr<grpc::Channel>& channel)
      : event_stub(refundrelay::v1::RefundEventService::NewStub(channel)),
        admin_stub(refundrelay::v1::AdminService::NewStub(channel)),
        events(std::cout, global.output),
        notices(std::cerr, global.output, command),
        global_(global) {}

  const GlobalOptions& global_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_REFUNDCTL_SESSION_H_
