// What the policy makes of requests: narrowed, or refused in words that tell only what was asked.
#include "server/rpc/access_checks.h"

#include <memory>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/log/status_reason.h"

namespace refund_relay {
namespace {

namespace v1 = refundrelay::v1;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

EventView Sees(std::vector<std::string> names) { return EventView({EventRights{false, std::move(names), false}}); }

NormalisedFilter Asked(const std::vector<v1::RefundEventType>& types, const std::vector<std::string>& names = {},
                       const std::vector<std::string>& client_ids = {}) {
  v1::EventFilter filter;
  for (const auto type : types) filter.add_event_types(type);
  for (const auto& name : names) filter.add_event_names(name);
  for (const auto& id : client_ids) filter.add_client_ids(id);
  RequestViolations violations;
  NormalisedFilter normalised = NormaliseFilter(filter, violations);
  EXPECT_TRUE(violations.ToStatus().ok());
  return normalised;
}

std::string RightIn(const absl::Status& status) {
  EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
  const auto reason = ReasonOf(status);
  EXPECT_TRUE(reason.has_value() && reason->reason() == "NOT_ALLOWED");
  return reason.has_value() ? reason->metadata().at("right") : "";
}

TEST(NarrowFilterTest, AnEmptyFilterMeansWhatIsSeen) {
  const auto narrowed = NarrowFilter(Asked({}, {}, {"client"}), Sees({"refunded.bundle", "refunded.pass"}));
  ASSERT_TRUE(narrowed.ok()) << narrowed.status();
  EXPECT_THAT(narrowed->matching.event_names, ElementsAre("refunded.bundle", "refunded.pass"));
  EXPECT_THAT(narrowed->matching.client_ids, ElementsAre("client"));
  EXPECT_THAT(narrowed->shown.event_types(), ElementsAre(v1::REFUND_EVENT_TYPE_PASS));
  EXPECT_THAT(narrowed->shown.event_names(), ElementsAre("refunded.bundle"));
  EXPECT_THAT(narrowed->shown.client_ids(), ElementsAre("client"));
}

TEST(NarrowFilterTest, WhoSeesAllGetsWhatItAskedFor) {
  const auto all = NarrowFilter(Asked({}), EventView::Everything());
  ASSERT_TRUE(all.ok());
  EXPECT_THAT(all->matching.event_names, IsEmpty());
  const auto some = NarrowFilter(Asked({}, {"refunded.new"}), EventView::Everything());
  ASSERT_TRUE(some.ok());
  EXPECT_THAT(some->matching.event_names, ElementsAre("refunded.new"));
}

TEST(NarrowFilterTest, WhatIsNamedAndSeenStaysAsItIs) {
  const auto narrowed = NarrowFilter(Asked({v1::REFUND_EVENT_TYPE_PASS}), Sees({"refunded.bundle", "refunded.pass"}));
  ASSERT_TRUE(narrowed.ok());
  EXPECT_THAT(narrowed->matching.event_names, ElementsAre("refunded.pass"));
}

TEST(NarrowFilterTest, ANamedForbiddenTypeOrNameIsRefusedAndNothingElseTold) {
  const EventView view = Sees({"refunded.pass", "refunded.secret_kind"});
  for (const NormalisedFilter& asked :
       {Asked({v1::REFUND_EVENT_TYPE_PASS, v1::REFUND_EVENT_TYPE_SUBSCRIPTION}, {"refunded.bundle"}),
        Asked({v1::REFUND_EVENT_TYPE_SUBSCRIPTION}, {"refunded.pass", "refunded.bundle"})}) {
    const auto refused = NarrowFilter(asked, view);
    EXPECT_EQ(RightIn(refused.status()), "events");
    EXPECT_THAT(std::string(refused.status().message()),
                AllOf(HasSubstr("REFUND_EVENT_TYPE_SUBSCRIPTION, refunded.bundle"), Not(HasSubstr("secret_kind")),
                      Not(HasSubstr("refunded.pass"))));
  }
}

TEST(NarrowFilterTest, WhoSeesNothingIsRefusedInsteadOfSeeingAll) {
  EXPECT_EQ(RightIn(NarrowFilter(Asked({}), Sees({})).status()), "events");
  EXPECT_EQ(RightIn(NarrowFilter(Asked({}, {}, {"client"}), Sees({})).status()), "events");
}

class NarrowSubscribeTest : public testing::Test {
 protected:
  NarrowSubscribeTest() {
    SubscriberPolicy books;
    books.name = "books";
    books.certificates = {"dns:books"};
    books.events = {false, {"refunded.pass"}, false};
    SubscriberPolicy ledger;
    ledger.name = "ledger";
    ledger.events = {true, {}, true};
    policy_ = std::make_shared<const AccessPolicy>(AccessPolicy{{books, ledger}});
  }

  Caller Books() const { return Caller(ReadCallerClaim({}, {true, {"books"}, {}}, absl::UnixEpoch()), policy_); }
  static CheckedSubscribe Request(const std::string& name) {
    CheckedSubscribe request;
    request.subscriber_name = name;
    return request;
  }

  std::shared_ptr<const AccessPolicy> policy_;
};

TEST_F(NarrowSubscribeTest, UnderItsOwnNameTheFilterIsNarrowedAndPersonalDataWithheld) {
  CheckedSubscribe request = Request("books");
  ASSERT_TRUE(NarrowSubscribe(Books(), request).ok());
  EXPECT_THAT(request.options.filter.event_names, ElementsAre("refunded.pass"));
  EXPECT_THAT(request.shown_filter.event_types(), ElementsAre(v1::REFUND_EVENT_TYPE_PASS));
  EXPECT_EQ(request.asked_filter.ByteSizeLong(), 0u) << "committed positions are compared by what was asked";
  EXPECT_TRUE(request.options.omit_personal_data);
}

TEST_F(NarrowSubscribeTest, AnotherNameIsRefusedWhetherThereIsOneOrNot) {
  for (const char* name : {"ledger", "absent"}) {
    CheckedSubscribe request = Request(name);
    const absl::Status refused = NarrowSubscribe(Books(), request);
    EXPECT_EQ(RightIn(refused), "subscriber_name");
    EXPECT_THAT(std::string(refused.message()), HasSubstr(std::string("subscribe as ") + name));
  }
}

TEST_F(NarrowSubscribeTest, WithoutAPolicyNothingChanges) {
  CheckedSubscribe request = Request("anyone");
  ASSERT_TRUE(NarrowSubscribe(Caller(), request).ok());
  EXPECT_THAT(request.options.filter.event_names, IsEmpty());
  EXPECT_FALSE(request.options.omit_personal_data);
}

TEST_F(NarrowSubscribeTest, CommitsAreForItsOwnNameWithAFilterThatItMayUse) {
  EXPECT_TRUE(CheckMayCommitFor(Books(), "books").ok());
  EXPECT_EQ(RightIn(CheckMayCommitFor(Books(), "ledger")), "commit_for_others");
  EXPECT_EQ(RightIn(CheckMayCommitFor(Books(), "absent")), "commit_for_others");
  EXPECT_TRUE(CheckMayCommitFor(Books(), "Not a name").ok()) << "it is refused for its form";
  v1::CommitPositionRequest commit;
  commit.set_subscriber_name("books");
  EXPECT_TRUE(CheckCommittedFilter(Books(), commit).ok());
  commit.mutable_filter()->add_event_names("refunded.bundle");
  EXPECT_EQ(RightIn(CheckCommittedFilter(Books(), commit)), "events");
}

}  // namespace
}  // namespace refund_relay
