// Page tokens: they come back as they went, and any other text is refused.
#include "server/rpc/page_token.h"

#include "gtest/gtest.h"

namespace refund_relay {
namespace {

using refundrelay::v1::ListEventsRequest;
using refundrelay::v1::Position;

Position SomePosition() {
  Position position;
  position.set_log_id("log-1");
  position.set_sequence(42);
  position.set_event_hash(7);
  return position;
}

TEST(PageTokenTest, BelongsToItsRequestWhateverThePageSize) {
  ListEventsRequest request;
  request.mutable_filter()->add_event_names("refunded.pass");
  request.set_page_token(MakePageToken(request, SomePosition()));
  request.set_page_size(5);
  const auto position = ReadPageToken(request);
  ASSERT_TRUE(position.has_value());
  EXPECT_EQ(position->sequence(), 42u);
  EXPECT_EQ(position->event_hash(), 7u);
  EXPECT_EQ(position->log_id(), "log-1");
}

TEST(PageTokenTest, IsRefusedForAnotherRequest) {
  ListEventsRequest request;
  request.mutable_filter()->add_event_names("refunded.pass");
  request.set_page_token(MakePageToken(request, SomePosition()));
  request.set_omit_personal_data(true);
  EXPECT_FALSE(ReadPageToken(request).has_value());
}

TEST(PageTokenTest, NonsenseIsRefused) {
  ListEventsRequest request;
  for (const char* token : {"x", "!!!", "AAAA", "MDAwMDAwMDAwMDAwMDAwMA"}) {
    request.set_page_token(token);
    EXPECT_FALSE(ReadPageToken(request).has_value()) << token;
  }
}

}  // namespace
}  // namespace refund_relay
