#include "server/rpc/status_table.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "refundrelay/v1/rpc_status.pb.h"
#include "server/log/status_reason.h"

namespace refund_relay {
namespace {

constexpr char kBadRequestUrl[] = "type.googleapis.com/google.rpc.BadRequest";
constexpr char kErrorInfoUrl[] = "type.googleapis.com/google.rpc.ErrorInfo";

// What a status without a reason of its own means to a client.
absl::Status WithDefaultReason(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kAborted:  // the log has failed; gRPC's ABORTED means something else
      return WithReason(absl::UnavailableError(status.message()), "STORAGE_UNAVAILABLE");
    case absl::StatusCode::kUnavailable:
      return WithReason(status, "STORAGE_UNAVAILABLE");
    case absl::StatusCode::kInvalidArgument:
      return WithReason(status, "BAD_REQUEST");
    case absl::StatusCode::kResourceExhausted:
      return WithReason(status, "OVERLOADED");
    case absl::StatusCode::kUnimplemented:
      return WithReason(status, "NOT_BUILT_YET");
    default:
      return WithReason(status, "UNEXPECTED");
  }
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const absl::Status reasoned = ReasonOf(status).has_value() ? status : WithDefaultReason(status);
  refundrelay::v1::Status details;
  details.set_code(static_cast<int>(reasoned.code()));
  details.set_message(std::string(reasoned.message()));
  for (const char* type_url : {kErrorInfoUrl, kBadRequestUrl}) {
    const auto payload = reasoned.GetPayload(type_url);
    if (!payload.has_value()) continue;
    google::protobuf::Any* detail = details.add_details();
    detail->set_type_url(type_url);
    detail->set_value(std::string(*payload));
  }
  return grpc::Status(static_cast<grpc::StatusCode>(reasoned.code()), details.message(), details.SerializeAsString());
}

absl::Status DrainingError() {
  return WithReason(absl::UnavailableError("the server is shutting down; connect again and resume"), "DRAINING");
}

void RequestViolations::Add(std::string_view field, std::string_view description) {
  refundrelay::v1::BadRequest bad_request;
  auto* violation = bad_request.add_field_violations();
  violation->set_field(std::string(field));
  violation->set_description(std::string(description));
  encoded_ += bad_request.SerializeAsString();  // encodings of a repeated field join by concatenation
  absl::StrAppend(&message_, message_.empty() ? "" : "; ", violation->field(), ": ", violation->description());
}

absl::Status RequestViolations::ToStatus() const {
  if (encoded_.empty()) return absl::OkStatus();
  absl::Status status = absl::InvalidArgumentError(message_);
  status.SetPayload(kBadRequestUrl, absl::Cord(encoded_));
  return status;
}

}  // namespace refund_relay
