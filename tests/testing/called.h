// A unary call as a certain caller, with its answer and the reason of its error.
#ifndef REFUND_RELAY_TESTS_TESTING_CALLED_H_
#define REFUND_RELAY_TESTS_TESTING_CALLED_H_

#include <grpcpp/client_context.h>

#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "refundrelay/v1/rpc_status.pb.h"

namespace refund_relay {

// The ErrorInfo in `status`; without one if there is none.
inline refundrelay::v1::ErrorInfo ErrorInfoIn(const grpc::Status& status) {
  refundrelay::v1::Status details;
  refundrelay::v1::ErrorInfo info;
  if (details.ParseFromString(status.error_details()) && details.details_size() > 0) {
    info.ParseFromString(details.details(0).value());
  }
  return info;
}

template <typename Response>
struct Called {
  grpc::Status status;
  Response response;
  std::string reason() const { return ErrorInfoIn(status).reason(); }
  std::string right() const {
    const auto info = ErrorInfoIn(status);
    const auto found = info.metadata().find("right");
    return found == info.metadata().end() ? "" : found->second;
  }
};

// Calls `method` of `stub` with a bearer token; without one if `token` is empty.
template <typename Stub, typename Request, typename Response>
Called<Response> Call(Stub& stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                      const Request& request, const std::string& token = "") {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  if (!token.empty()) context.AddMetadata("authorization", absl::StrCat("Bearer ", token));
  Called<Response> called;
  called.status = (stub.*method)(&context, request, &called.response);
  return called;
}

}  // namespace refund_relay

#endif  // REFUND_RELAY_TESTS_TESTING_CALLED_H_
