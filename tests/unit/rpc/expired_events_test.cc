// Events that were deleted before a subscriber had committed them.
#include "server/rpc/expired_events.h"

#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "refundrelay/v1/refund_event_service.pb.h"

namespace refund_relay {
namespace {

class FixedPositions final : public PositionStore {
 public:
  void Commit(PositionCommit, CommitDone) override {}
  void Delete(std::string_view, std::optional<uint64_t>, DeleteDone) override {}
  std::optional<CommittedPosition> Get(std::string_view) override { return std::nullopt; }
  std::vector<CommittedPosition> List() override { return positions; }

  std::vector<CommittedPosition> positions;
};

class ExpiredEventsTest : public ::testing::Test {
 protected:
  void Commit(const std::string& name, uint64_t sequence, const refundrelay::v1::EventFilter& filter = {}) {
    positions_.positions.push_back({name, {sequence, 0}, 1, filter.SerializeAsString(), absl::UnixEpoch()});
  }
  std::map<std::string, double> Counts() {
    std::map<std::string, double> counts;
    for (const auto& family : registry_.Collect()) {
      for (const auto& metric : family.metric) counts[metric.label[0].value] = metric.counter.value;
    }
    return counts;
  }

  FixedPositions positions_;
  prometheus::Registry registry_;
  const std::vector<TrimmedEvent> events_ = {
      {11, "refunded.pass", "c1"}, {12, "refunded.subscription", "c1"}, {13, "refunded.pass", "c2"}};
};

TEST_F(ExpiredEventsTest, CountsWhatLiesPastACommittedPosition) {
  Commit("behind", 3);
  Commit("between", 11);
  Commit("at-the-end", 13);
  Commit("past", 20);
  ExpiredEvents expired(registry_, positions_);
  EXPECT_EQ(Counts(), (std::map<std::string, double>{{"behind", 0}, {"between", 0}, {"at-the-end", 0}, {"past", 0}}))
      << "series are there before the first loss";
  expired.Add(events_);
  EXPECT_EQ(Counts(), (std::map<std::string, double>{{"behind", 3}, {"between", 2}, {"at-the-end", 0}, {"past", 0}}));
}

TEST_F(ExpiredEventsTest, CountsOnlyWhatTheFilterMatches) {
  refundrelay::v1::EventFilter passes;
  passes.add_event_types(refundrelay::v1::REFUND_EVENT_TYPE_PASS);
  Commit("passes", 0, passes);
  refundrelay::v1::EventFilter client;
  client.add_client_ids("c1");
  Commit("client", 0, client);
  refundrelay::v1::EventFilter none;
  none.add_event_names("refunded.other");
  Commit("none", 0, none);
  ExpiredEvents expired(registry_, positions_);
  expired.Add(events_);
  EXPECT_EQ(Counts(), (std::map<std::string, double>{{"passes", 2}, {"client", 2}, {"none", 0}}));
}

TEST_F(ExpiredEventsTest, NamesBeyondTheLimitAreCountedTogether) {
  for (size_t i = 0; i < ExpiredEvents::kMaxSubscriberLabels + 2; ++i) Commit(absl::StrCat("s", i), 12);
  ExpiredEvents expired(registry_, positions_);
  expired.Add(events_);
  EXPECT_EQ(Counts().size(), ExpiredEvents::kMaxSubscriberLabels + 1);
  EXPECT_EQ(Counts().at("other"), 2);
  EXPECT_EQ(Counts().at("s0"), 1);
}

}  // namespace
}  // namespace refund_relay
