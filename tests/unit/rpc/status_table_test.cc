// The table from statuses to gRPC: codes, reasons, details.
#include "server/rpc/status_table.h"

#include "gtest/gtest.h"
#include "refundrelay/v1/rpc_status.pb.h"
#include "server/log/status_reason.h"

namespace refund_relay {
namespace {

refundrelay::v1::Status DetailsOf(const grpc::Status& status) {
  refundrelay::v1::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  return details;
}

refundrelay::v1::ErrorInfo InfoOf(const grpc::Status& status) {
  const refundrelay::v1::Status details = DetailsOf(status);
  refundrelay::v1::ErrorInfo info;
  EXPECT_GE(details.details_size(), 1);
  EXPECT_EQ(details.details(0).type_url(), "type.googleapis.com/google.rpc.ErrorInfo");
  EXPECT_TRUE(info.ParseFromString(details.details(0).value()));
  return info;
}

TEST(StatusTableTest, KeepsCodeMessageReasonAndMetadata) {
  const grpc::Status status = ToGrpcStatus(PositionExpiredError(3, 17));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_EQ(DetailsOf(status).code(), 11);
  EXPECT_EQ(DetailsOf(status).message(), status.error_message());
  EXPECT_EQ(InfoOf(status).reason(), "POSITION_EXPIRED");
  EXPECT_EQ(InfoOf(status).domain(), "refund-relay");
  EXPECT_EQ(InfoOf(status).metadata().at("first_sequence"), "17");
}

TEST(StatusTableTest, ALogThatFailedIsUnavailableStorage) {
  const grpc::Status status = ToGrpcStatus(absl::AbortedError("sync failed"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << "ABORTED would mean a version conflict";
  EXPECT_EQ(InfoOf(status).reason(), "STORAGE_UNAVAILABLE");
}

TEST(StatusTableTest, StorageThatIsAwayIsNamed) {
  EXPECT_EQ(InfoOf(ToGrpcStatus(absl::UnavailableError("disk full"))).reason(), "STORAGE_UNAVAILABLE");
  EXPECT_EQ(InfoOf(ToGrpcStatus(DrainingError())).reason(), "DRAINING");
}

TEST(StatusTableTest, ViolationsNameEveryField) {
  RequestViolations violations;
  EXPECT_TRUE(violations.ToStatus().ok());
  violations.Add("filter.event_names[0]", "must start with `refunded.`");
  violations.Add("start", "say where to start");
  const grpc::Status status = ToGrpcStatus(violations.ToStatus());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "filter.event_names[0]: must start with `refunded.`; start: say where to start");
  const refundrelay::v1::Status details = DetailsOf(status);
  ASSERT_EQ(details.details_size(), 2);
  EXPECT_EQ(details.details(1).type_url(), "type.googleapis.com/google.rpc.BadRequest");
  refundrelay::v1::BadRequest bad_request;
  ASSERT_TRUE(bad_request.ParseFromString(details.details(1).value()));
  ASSERT_EQ(bad_request.field_violations_size(), 2);
  EXPECT_EQ(bad_request.field_violations(1).field(), "start");
}

TEST(StatusTableTest, OkIsOk) { EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok()); }

}  // namespace
}  // namespace refund_relay
