// A gRPC status with its rich details decoded: what a client needs to decide and to tell people.
#ifndef REFUND_RELAY_RPC_ERROR_H_
#define REFUND_RELAY_RPC_ERROR_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grpcpp/support/status.h"

namespace refund_relay {

// A value; OK is one as well (`ok()`).
struct RpcError {
  struct FieldViolation {
    std::string field;
    std::string description;
  };

  grpc::StatusCode code = grpc::StatusCode::OK;
  std::string message;
  // google.rpc.ErrorInfo; empty if the server sent none, for example because no server was reached.
  std::string reason;
  std::map<std::string, std::string> metadata;
  // google.rpc.BadRequest.
  std::vector<FieldViolation> field_violations;
  // google.rpc.RetryInfo: wait at least this long.
  std::optional<absl::Duration> retry_delay;

  bool ok() const { return code == grpc::StatusCode::OK; }
};

// Decodes `grpc-status-details-bin`; details that cannot be decoded are left out. Pure.
RpcError RpcErrorOf(const grpc::Status& status);

// The same from and to an absl::Status, which carries the ErrorInfo as a payload; field violations and the delay are
// left out. Pure.
RpcError RpcErrorOf(const absl::Status& status);
absl::Status StatusOf(const RpcError& error);

// An error that the client itself found, with a reason of its own or none. Pure.
RpcError MakeRpcError(grpc::StatusCode code, std::string message, std::string reason = "");

// `INVALID_ARGUMENT` for the code of that name; `CODE_<number>` for one that is unknown.
std::string CodeName(grpc::StatusCode code);

// `OUT_OF_RANGE POSITION_EXPIRED {first_sequence=51}: events were deleted`, on one line. Pure.
std::string RpcErrorText(const RpcError& error);

// Whether no server answered: nothing listens there, the connection broke (a server that ends resets what its drain did
// not wait for: CANCELLED without a reason), or the time was up. Not for calls that this side cancelled.
bool IsUnreachable(const RpcError& error);

// What a subscriber's stream does when it ends with a status, by the contract's table.
enum class Reaction {
  kDone,       // OK.
  kResume,     // Passing trouble: resume from the last position for as long as it takes.
  kResumeFew,  // Should never happen: report it and resume, but not for ever without getting on.
  kGiveUp,     // Resuming would fail again or skip refunds: a person must decide.
};
Reaction ReactionTo(const RpcError& error);

// Whether a single call that failed so may succeed later, unchanged. Safe calls only: it may have succeeded already.
bool IsPassing(const RpcError& error);

}  // namespace refund_relay

#endif  // REFUND_RELAY_RPC_ERROR_H_
