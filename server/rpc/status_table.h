// The one place where a status becomes a gRPC status with rich details.
#ifndef REFUND_RELAY_SERVER_RPC_STATUS_TABLE_H_
#define REFUND_RELAY_SERVER_RPC_STATUS_TABLE_H_

#include <grpcpp/support/status.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace refund_relay {

// Same code, message and details (`grpc-status-details-bin`): ErrorInfo always, BadRequest where one is attached. A
// failed log (ABORTED without a reason) and storage that is away become UNAVAILABLE, STORAGE_UNAVAILABLE. Thread-safe.
grpc::Status ToGrpcStatus(const absl::Status& status);

// UNAVAILABLE, DRAINING.
absl::Status DrainingError();

// Collects the wrong fields of a request, so that one answer names all of them.
class RequestViolations {
 public:
  // `field` is the path within the request, for example `filter.event_names[2]`.
  void Add(std::string_view field, std::string_view description);

  // OK, or INVALID_ARGUMENT with a BadRequest that lists what was added.
  absl::Status ToStatus() const;

 private:
  std::string encoded_;  // a BadRequest
  std::string message_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_STATUS_TABLE_H_
