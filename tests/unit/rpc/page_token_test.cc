// Page tokens: they come back as they went, and any other text is refused.
#include "server/rpc/page_token.h"

#include "gtest/gtest.h"
#include "refundrelay/v1/admin_service.pb.h"
#include "refundrelay/v1/refund_event_service.pb.h"

namespace refund_relay {
namespace {

using refundrelay::v1::ListEventsRequest;

ListEventsRequest WithToken(const std::string& place) {
  ListEventsRequest request;
  request.mutable_filter()->add_event_names("refunded.pass");
  request.set_page_token(MakePageToken(request, place));
  return request;
}

TEST(PageTokenTest, BelongsToItsRequestWhateverThePageSize) {
  ListEventsRequest request = WithToken(std::string("a\0\xff", 3));
  request.set_page_size(5);
  RequestViolations violations;
  EXPECT_EQ(ReadPageToken(request, violations), std::string("a\0\xff", 3));
  EXPECT_TRUE(violations.ToStatus().ok());
}

TEST(PageTokenTest, NoTokenIsTheFirstPage) {
  RequestViolations violations;
  EXPECT_EQ(ReadPageToken(refundrelay::v1::ListQuarantinedWebhooksRequest(), violations), "");
  EXPECT_TRUE(violations.ToStatus().ok());
}

TEST(PageTokenTest, IsRefusedForAnotherRequest) {
  ListEventsRequest request = WithToken("place");
  request.set_omit_personal_data(true);
  RequestViolations violations;
  EXPECT_FALSE(ReadPageToken(request, violations).has_value());
  EXPECT_EQ(violations.ToStatus().code(), absl::StatusCode::kInvalidArgument);
}

TEST(PageTokenTest, NonsenseIsRefused) {
  ListEventsRequest request;
  for (const char* token : {"x", "!!!", "AAAA", "MDAwMDAwMDAwMDAwMDAwMA"}) {
    request.set_page_token(token);
    RequestViolations violations;
    EXPECT_FALSE(ReadPageToken(request, violations).has_value()) << token;
  }
}

TEST(PageSizeTest, HasADefaultAndAnEnd) {
  RequestViolations violations;
  EXPECT_EQ(CheckPageSize(0, violations), 100u);
  EXPECT_EQ(CheckPageSize(1000, violations), 1000u);
  EXPECT_TRUE(violations.ToStatus().ok());
  CheckPageSize(1001, violations);
  EXPECT_EQ(violations.ToStatus().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace refund_relay
