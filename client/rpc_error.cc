#include "refund_relay/rpc_error.h"

#include <array>
#include <cstddef>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "client/printable.h"
#include "refundrelay/v1/rpc_status.pb.h"

namespace refund_relay {
namespace {

constexpr char kErrorInfoType[] = "type.googleapis.com/google.rpc.ErrorInfo";

// Reads `any` into `*message` if it is a google.rpc.<name>.
template <typename Message>
bool Unpack(const google::protobuf::Any& any, std::string_view name, Message* message) {
  return any.type_url() == absl::StrCat("type.googleapis.com/google.rpc.", std::string(name)) &&
         message->ParseFromString(any.value());
}

void DecodeDetail(const google::protobuf::Any& any, RpcError* error) {
  refundrelay::v1::ErrorInfo info;
  refundrelay::v1::BadRequest bad_request;
  refundrelay::v1::RetryInfo retry;
  if (Unpack(any, "ErrorInfo", &info)) {
    error->reason = info.reason();
    for (const auto& [key, value] : info.metadata()) error->metadata[key] = value;
  } else if (Unpack(any, "BadRequest", &bad_request)) {
    for (const auto& violation : bad_request.field_violations()) {
      error->field_violations.push_back({violation.field(), violation.description()});
    }
  } else if (Unpack(any, "RetryInfo", &retry)) {
    error->retry_delay = absl::Seconds(retry.retry_delay().seconds()) + absl::Nanoseconds(retry.retry_delay().nanos());
  }
}

}  // namespace

RpcError RpcErrorOf(const grpc::Status& status) {
  RpcError error{status.error_code(), status.error_message(), {}, {}, {}, {}};
  refundrelay::v1::Status details;
  if (details.ParseFromString(status.error_details())) {
    for (const auto& any : details.details()) DecodeDetail(any, &error);
  }
  return error;
}

RpcError RpcErrorOf(const absl::Status& status) {
  RpcError error = MakeRpcError(static_cast<grpc::StatusCode>(status.raw_code()),
                                std::string(status.message().data(), status.message().size()));
  refundrelay::v1::ErrorInfo info;
  const auto payload = status.GetPayload(kErrorInfoType);
  if (payload.has_value() && info.ParseFromString(std::string(*payload))) {
    error.reason = info.reason();
    for (const auto& [key, value] : info.metadata()) error.metadata[key] = value;
  }
  return error;
}

absl::Status StatusOf(const RpcError& error) {
  absl::Status status(static_cast<absl::StatusCode>(error.code), error.message);
  if (status.ok() || error.reason.empty()) return status;
  refundrelay::v1::ErrorInfo info;
  info.set_reason(error.reason);
  info.set_domain("refund-relay");
  for (const auto& [key, value] : error.metadata) (*info.mutable_metadata())[key] = value;
  status.SetPayload(kErrorInfoType, absl::Cord(info.SerializeAsString()));
  return status;
}

RpcError MakeRpcError(grpc::StatusCode code, std::string message, std::string reason) {
  return {code, std::move(message), std::move(reason), {}, {}, {}};
}

std::string CodeName(grpc::StatusCode code) {
  static constexpr std::array<std::string_view, 17> kNames = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  const int number = static_cast<int>(code);
  if (number < 0 || static_cast<size_t>(number) >= kNames.size()) return absl::StrCat("CODE_", number);
  return std::string(kNames[static_cast<size_t>(number)]);
}

std::string RpcErrorText(const RpcError& error) {
  std::string text = CodeName(error.code);
  if (!error.reason.empty()) {
    absl::StrAppend(&text, " ", Printable(error.reason));
    const char* separator = " {";
    for (const auto& [key, value] : error.metadata) {
      absl::StrAppend(&text, separator, Printable(key), "=", Printable(value));
      separator = ", ";
    }
    if (!error.metadata.empty()) absl::StrAppend(&text, "}");
  }
  if (!error.message.empty()) absl::StrAppend(&text, ": ", Printable(error.message));
  return text;
}

bool IsUnreachable(const RpcError& error) {
  if (!error.reason.empty()) return false;
  return error.code == grpc::StatusCode::UNAVAILABLE || error.code == grpc::StatusCode::DEADLINE_EXCEEDED ||
         error.code == grpc::StatusCode::CANCELLED;
}

Reaction ReactionTo(const RpcError& error) {
  switch (error.code) {
    case grpc::StatusCode::OK:
      return Reaction::kDone;
    case grpc::StatusCode::UNAVAILABLE:         // draining, age limit, policy, storage, or the network
    case grpc::StatusCode::RESOURCE_EXHAUSTED:  // too many streams, or this one was read too slowly
    case grpc::StatusCode::DEADLINE_EXCEEDED:   // a proxy's time-out
    case grpc::StatusCode::CANCELLED:           // reset by a proxy, or by a server that ends
      return Reaction::kResume;
    case grpc::StatusCode::INTERNAL:  // GAP, or a reset by a proxy
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::ABORTED:
      return Reaction::kResumeFew;
    default:
      return Reaction::kGiveUp;
  }
}

bool IsPassing(const RpcError& error) {
  return ReactionTo(error) == Reaction::kResume || error.code == grpc::StatusCode::INTERNAL ||
         error.code == grpc::StatusCode::UNKNOWN;
}

}  // namespace refund_relay
