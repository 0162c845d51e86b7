// StreamRegistry: order, ends, and what the audit gets to see.
#include "server/rpc/stream_registry.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace refund_relay {
namespace {

StreamIdentity Named(const std::string& name, uint64_t start = 0) {
  StreamIdentity identity;
  identity.subscriber_name = name;
  identity.start = {start, 0};
  return identity;
}

std::vector<std::string> Names(const std::vector<StreamRegistry::Record>& records) {
  std::vector<std::string> names;
  for (const auto& record : records) names.push_back(record->identity().subscriber_name);
  return names;
}

TEST(StreamRegistryTest, ListsByNameThenAge) {
  StreamRegistry registry;
  registry.Open(Named("b"));
  const auto older = registry.Open(Named("a"));
  registry.Open(Named("c"));
  const auto newer = registry.Open(Named("a"));
  EXPECT_EQ(Names(registry.List()), (std::vector<std::string>{"a", "a", "b", "c"}));
  EXPECT_EQ(registry.List()[0], older);
  EXPECT_EQ(registry.List()[1], newer);
  registry.Close(*older);
  EXPECT_EQ(Names(registry.List()), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(registry.List()[0], newer);
}

TEST(StreamRegistryTest, EndedStreamsAreKeptOnlyForWhoAskedAndUntilTheyWereTaken) {
  StreamRegistry registry;
  registry.Close(*registry.Open(Named("before")));
  registry.KeepEnded();
  registry.Close(*registry.Open(Named("after")));
  registry.Open(Named("open"));
  const auto [open, ended] = registry.OpenAndEnded();
  EXPECT_EQ(Names(open), (std::vector<std::string>{"open"}));
  EXPECT_EQ(Names(ended.streams), (std::vector<std::string>{"after"}));
  EXPECT_EQ(ended.forgotten_events, 0u);
  EXPECT_TRUE(registry.OpenAndEnded().second.streams.empty());
}

TEST(StreamRegistryTest, WhatIsNotKeptIsCounted) {
  StreamRegistry registry;
  registry.KeepEnded();
  for (size_t i = 0; i < StreamRegistry::kMostEnded + 2; ++i) {
    const auto record = registry.Open(Named("passing", /*start=*/10));
    record->Examined({15, 0}, /*delivered_events=*/3, /*live=*/false);
    registry.Close(*record);
  }
  const StreamRegistry::Ended ended = registry.OpenAndEnded().second;
  EXPECT_EQ(ended.streams.size(), StreamRegistry::kMostEnded);
  EXPECT_EQ(ended.forgotten_events, 10u);
}

TEST(StreamRecordTest, PositionAndCountBelongTogether) {
  StreamRecord record(1, Named("a", /*start=*/7));
  EXPECT_EQ(record.progress().position.sequence, 7u);
  const auto now = std::chrono::steady_clock::now();
  record.WriteBegan(now);
  record.Examined({9, 90}, /*delivered_events=*/1, /*live=*/true);
  record.Examined({12, 120}, /*delivered_events=*/2, /*live=*/true);
  StreamProgress progress = record.progress();
  EXPECT_EQ(progress.position, (LogPosition{12, 120}));
  EXPECT_EQ(progress.delivered_events, 3u);
  EXPECT_TRUE(progress.live);
  EXPECT_EQ(progress.waiting_since, now);
  record.WriteEnded();
  EXPECT_FALSE(record.progress().waiting_since.has_value());
}

}  // namespace
}  // namespace refund_relay
