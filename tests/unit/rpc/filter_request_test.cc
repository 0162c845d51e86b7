// Filters as clients send them: normalised, or refused by field.
#include "server/rpc/filter_request.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace refund_relay {
namespace {

using refundrelay::v1::EventFilter;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(FilterRequestTest, TypesAreShorthandForTheirNames) {
  EventFilter filter;
  filter.add_event_types(refundrelay::v1::REFUND_EVENT_TYPE_SUBSCRIPTION);
  filter.add_event_types(refundrelay::v1::REFUND_EVENT_TYPE_PASS);
  filter.add_event_types(refundrelay::v1::REFUND_EVENT_TYPE_PASS);
  filter.add_event_names("refunded.bundle");
  filter.add_event_names("refunded.pass");
  filter.add_client_ids("b");
  filter.add_client_ids("a");
  RequestViolations violations;
  const NormalisedFilter normalised = NormaliseFilter(filter, violations);
  EXPECT_TRUE(violations.ToStatus().ok());
  EXPECT_THAT(normalised.matching.event_names,
              ElementsAre("refunded.bundle", "refunded.pass", "refunded.subscription"));
  EXPECT_THAT(normalised.matching.client_ids, ElementsAre("a", "b"));
  EXPECT_THAT(normalised.shown.event_types(),
              ElementsAre(refundrelay::v1::REFUND_EVENT_TYPE_SUBSCRIPTION, refundrelay::v1::REFUND_EVENT_TYPE_PASS));
  EXPECT_THAT(normalised.shown.event_names(), ElementsAre("refunded.bundle"));
}

TEST(FilterRequestTest, EmptyMeansAll) {
  RequestViolations violations;
  const NormalisedFilter normalised = NormaliseFilter({}, violations);
  EXPECT_TRUE(normalised.matching.Matches("refunded.anything", ""));
}

struct BadFilter {
  const char* field;
  void (*fill)(EventFilter&);
};

class BadFilterTest : public testing::TestWithParam<BadFilter> {};

TEST_P(BadFilterTest, NamesTheField) {
  EventFilter filter;
  GetParam().fill(filter);
  RequestViolations violations;
  NormaliseFilter(filter, violations);
  EXPECT_THAT(std::string(violations.ToStatus().message()), HasSubstr(GetParam().field));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadFilterTest,
    testing::Values(BadFilter{"filter.event_types[0]",
                              [](EventFilter& f) {
                                f.add_event_types(refundrelay::v1::REFUND_EVENT_TYPE_UNSPECIFIED);
                              }},
                    BadFilter{"filter.event_types[1]",
                              [](EventFilter& f) {
                                f.add_event_types(refundrelay::v1::REFUND_EVENT_TYPE_PASS);
                                f.add_event_types(static_cast<refundrelay::v1::RefundEventType>(99));
                              }},
                    BadFilter{"filter.event_names[0]", [](EventFilter& f) { f.add_event_names("pass"); }},
                    BadFilter{"filter.event_names[0]",
                              [](EventFilter& f) { f.add_event_names("refunded." + std::string(120, 'x')); }},
                    BadFilter{"filter.event_names",
                              [](EventFilter& f) {
                                for (int i = 0; i < 65; ++i) f.add_event_names("refunded.x" + std::to_string(i));
                              }},
                    BadFilter{"filter.client_ids[0]", [](EventFilter& f) { f.add_client_ids(""); }},
                    BadFilter{"filter.client_ids[0]", [](EventFilter& f) { f.add_client_ids(std::string(129, 'x')); }},
                    BadFilter{"filter.client_ids", [](EventFilter& f) {
                                for (int i = 0; i < 257; ++i) f.add_client_ids(std::to_string(i));
                              }}));

}  // namespace
}  // namespace refund_relay
