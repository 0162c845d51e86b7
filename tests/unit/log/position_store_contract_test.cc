// The contract of PositionStore, run over every log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/log/open_storage.h"
#include "server/log/position_store.h"
#include "tests/testing/log_probe.h"
#include "tests/testing/manual_clock.h"
#include "tests/testing/temp_dir.h"

namespace refund_relay {
namespace {

using ::testing::HasSubstr;

class PositionStoreContractTest : public ::testing::TestWithParam<std::string> {
 protected:
  PositionStoreContractTest() { Reopen(); }

  // A new start on the same folder; the memory log forgets.
  void Reopen(const LogLimits& limits = {}) {
    storage_ = Storage();
    StorageOptions options;
    options.limits = limits;
    options.log = GetParam();
    options.data_dir = dir_.path();
    options.clock = &clock_;
    auto storage = OpenStorage(options);
    ASSERT_TRUE(storage.ok()) << storage.status();
    storage_ = *std::move(storage);
  }

  PositionStore& positions() const { return *storage_.positions; }

  absl::StatusOr<uint64_t> Commit(const std::string& name, uint64_t sequence,
                                  std::optional<uint64_t> expected = std::nullopt,
                                  const std::string& filter = "f") const {
    Answer<absl::StatusOr<uint64_t>> answer;
    positions().Commit({name, LogPosition{sequence, sequence * 7}, filter, expected}, answer.Callback());
    return answer.Wait();
  }

  absl::StatusOr<CommittedPosition> Delete(const std::string& name,
                                           std::optional<uint64_t> expected = std::nullopt) const {
    Answer<absl::StatusOr<CommittedPosition>> answer;
    positions().Delete(name, expected, answer.Callback());
    return answer.Wait();
  }

  TempDir dir_;
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'000)};
  Storage storage_;
};

INSTANTIATE_TEST_SUITE_P(Logs, PositionStoreContractTest, ::testing::Values("sqlite", "memory"),
                         [](const auto& param) { return param.param; });

TEST_P(PositionStoreContractTest, NothingIsKeptUnderANewName) {
  EXPECT_FALSE(positions().Get("books").has_value());
  EXPECT_TRUE(positions().List().empty());
}

TEST_P(PositionStoreContractTest, ACommitIsKeptWhole) {
  const auto version = Commit("books", 5, std::nullopt, "the filter");
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(*version, 1u);
  const auto kept = positions().Get("books");
  ASSERT_TRUE(kept.has_value());
  EXPECT_EQ(kept->subscriber_name, "books");
  EXPECT_EQ(kept->position, (LogPosition{5, 35}));
  EXPECT_EQ(kept->version, 1u);
  EXPECT_EQ(kept->filter, "the filter");
  EXPECT_EQ(kept->committed_at, clock_.Now());
}

TEST_P(PositionStoreContractTest, ItGoesForwardAndEachChangeHasAGreaterVersion) {
  ASSERT_TRUE(Commit("books", 5).ok());
  const auto next = Commit("books", 9);
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_GT(*next, 1u);
  EXPECT_EQ(positions().Get("books")->position.sequence, 9u);
}

TEST_P(PositionStoreContractTest, TheSamePositionAgainChangesNothing) {
  const auto first = Commit("books", 5);
  ASSERT_TRUE(first.ok());
  const auto again = Commit("books", 5);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, *first);
  const auto with_another_filter = Commit("books", 5, std::nullopt, "g");
  ASSERT_TRUE(with_another_filter.ok());
  EXPECT_GT(*with_another_filter, *first);
  EXPECT_EQ(positions().Get("books")->filter, "g");
}

TEST_P(PositionStoreContractTest, WithoutAnExpectedVersionItNeverGoesBack) {
  ASSERT_TRUE(Commit("books", 5).ok());
  const auto back = Commit("books", 4);
  EXPECT_EQ(back.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonText(back.status()), "WOULD_REWIND");
  EXPECT_EQ(positions().Get("books")->position.sequence, 5u);
}

TEST_P(PositionStoreContractTest, WithTheVersionInForceItMayGoBack) {
  const auto first = Commit("books", 5);
  const auto back = Commit("books", 2, *first);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(positions().Get("books")->position.sequence, 2u);
}

TEST_P(PositionStoreContractTest, AnotherVersionThanTheExpectedOneIsRefusedWithTheCurrentOne) {
  const auto first = Commit("books", 5);
  const auto second = Commit("books", 6);
  for (const uint64_t expected : {uint64_t{0}, *first}) {
    const auto refused = Commit("books", 7, expected);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kAborted);
    EXPECT_EQ(ReasonText(refused.status()), absl::StrCat("VERSION_CHANGED current=", *second));
  }
  const auto none_yet = Commit("fraud", 7, 3);
  EXPECT_EQ(ReasonText(none_yet.status()), "VERSION_CHANGED current=0");
  EXPECT_TRUE(Commit("fraud", 7, 0).ok()) << "0 = must not exist yet";
}

TEST_P(PositionStoreContractTest, OneOfManyWithTheSameExpectedVersionWins) {
  std::vector<Answer<absl::StatusOr<uint64_t>>> answers(64);
  for (size_t i = 0; i < answers.size(); ++i) {
    positions().Commit({"books", LogPosition{i + 1, 0}, "f", 0}, answers[i].Callback());
  }
  int won = 0;
  for (auto& answer : answers) {
    const auto version = answer.Wait();
    if (version.ok()) {
      ++won;
    } else {
      EXPECT_THAT(ReasonText(version.status()), HasSubstr("VERSION_CHANGED"));
    }
  }
  EXPECT_EQ(won, 1);
}

TEST_P(PositionStoreContractTest, ADeletedPositionIsGoneAndItsVersionIsNeverUsedAgain) {
  const auto first = Commit("books", 5);
  const auto deleted = Delete("books");
  ASSERT_TRUE(deleted.ok()) << deleted.status();
  EXPECT_EQ(deleted->position, (LogPosition{5, 35}));
  EXPECT_FALSE(positions().Get("books").has_value());
  const auto unknown = Delete("books");
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonText(unknown.status()), "POSITION_UNKNOWN");
  if (GetParam() == "sqlite") Reopen();
  const auto again = Commit("books", 1, 0);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_GT(*again, *first) << "a process that remembers the old version must not take the new position for its own";
}

TEST_P(PositionStoreContractTest, ADeletionMayNameItsVersion) {
  const auto first = Commit("books", 5);
  const auto second = Commit("books", 6);
  EXPECT_EQ(ReasonText(Delete("books", *first).status()), absl::StrCat("VERSION_CHANGED current=", *second));
  EXPECT_TRUE(Delete("books", *second).ok());
}

TEST_P(PositionStoreContractTest, TheListIsOrderedByName) {
  for (const char* name : {"fraud", "books", "access"}) ASSERT_TRUE(Commit(name, 1).ok());
  std::vector<std::string> names;
  for (const CommittedPosition& position : positions().List()) names.push_back(position.subscriber_name);
  EXPECT_THAT(names, ::testing::ElementsAre("access", "books", "fraud"));
}

TEST_P(PositionStoreContractTest, TheNumberOfNamesIsBounded) {
  Answer<absl::StatusOr<uint64_t>> last;
  for (size_t i = 0; i + 1 < kMaxCommittedPositions; ++i) {
    positions().Commit({absl::StrCat("s", i), LogPosition{1, 0}, "", std::nullopt}, [](const auto&) {});
  }
  positions().Commit({"last", LogPosition{1, 0}, "", std::nullopt}, last.Callback());
  ASSERT_TRUE(last.Wait().ok());
  const auto refused = Commit("one-too-many", 1);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("10000 names"));
  EXPECT_TRUE(Commit("last", 2).ok()) << "those that are there go on";
}

TEST_P(PositionStoreContractTest, CommitsThatWaitForTheWriterAreBoundedToo) {
  LogLimits limits;
  limits.queue_limit_bytes = 64 << 10;
  Reopen(limits);
  Gate gate;
  storage_.log->StartTail([&gate](absl::Span<const StoredEvent>) { gate.Pass(); });
  storage_.log->Append(MakeEvent("holds-the-writer"), [](const absl::StatusOr<AppendOutcome>&) {});
  gate.AwaitArrival();
  std::vector<Answer<absl::StatusOr<uint64_t>>> answers(2000);
  for (size_t i = 0; i < answers.size(); ++i) {
    positions().Commit({"books", LogPosition{i, 0}, "", std::nullopt}, answers[i].Callback());
  }
  gate.Open();
  int refused = 0;
  for (auto& answer : answers) {
    const auto version = answer.Wait();
    if (version.ok()) continue;
    EXPECT_EQ(version.status().code(), absl::StatusCode::kResourceExhausted) << version.status();
    ++refused;
  }
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, 2000);
}

class SqlitePositionStoreTest : public PositionStoreContractTest {};
INSTANTIATE_TEST_SUITE_P(Durable, SqlitePositionStoreTest, ::testing::Values("sqlite"),
                         [](const auto& param) { return param.param; });

TEST_P(SqlitePositionStoreTest, PositionsOutliveTheProcess) {
  ASSERT_TRUE(Commit("books", 5, std::nullopt, "the filter").ok());
  const auto second = Commit("fraud", 6);
  Reopen();
  const auto kept = positions().Get("books");
  ASSERT_TRUE(kept.has_value());
  EXPECT_EQ(kept->position, (LogPosition{5, 35}));
  EXPECT_EQ(kept->filter, "the filter");
  EXPECT_EQ(kept->committed_at, clock_.Now());
  const auto next = Commit("books", 7, kept->version);
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_GT(*next, *second);
}

}  // namespace
}  // namespace refund_relay
