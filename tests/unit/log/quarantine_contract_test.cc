// The contract of Quarantine, run over every log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/log/open_storage.h"
#include "server/log/quarantine.h"
#include "tests/testing/log_probe.h"
#include "tests/testing/manual_clock.h"
#include "tests/testing/temp_dir.h"

namespace refund_relay {
namespace {

using ::testing::ElementsAre;

class QuarantineContractTest : public ::testing::TestWithParam<std::string> {
 protected:
  QuarantineContractTest() { Open(kDefaultMaxQuarantinedWebhooks); }

  void Open(size_t limit) {
    storage_ = Storage();
    StorageOptions options;
    options.log = GetParam();
    options.data_dir = dir_.path();
    options.clock = &clock_;
    options.max_quarantined_webhooks = limit;
    auto storage = OpenStorage(options);
    ASSERT_TRUE(storage.ok()) << storage.status();
    storage_ = *std::move(storage);
  }

  Quarantine& quarantine() const { return *storage_.quarantine; }
  EventLog& log() const { return *storage_.log; }

  // A webhook whose body hash follows from its body; that it is no SHA-256 makes no difference here.
  NewQuarantinedWebhook Webhook(const std::string& body, QuarantineReason reason = QuarantineReason::kNotJson) const {
    NewQuarantinedWebhook webhook;
    webhook.reason = reason;
    webhook.detail = "byte 3: a value is expected";
    webhook.received_at = clock_.Now();
    webhook.body = body;
    webhook.body_hash = "hash of " + body;
    webhook.event_id = "event-of-" + body;
    webhook.traceparent = "00-trace";
    return webhook;
  }

  absl::StatusOr<QuarantineOutcome> Add(NewQuarantinedWebhook webhook) const {
    Answer<absl::StatusOr<QuarantineOutcome>> answer;
    quarantine().Add(std::move(webhook), answer.Callback());
    return answer.Wait();
  }
  std::string AddBody(const std::string& body) const {
    const auto outcome = Add(Webhook(body));
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome.ok() ? outcome->quarantine_id : "";
  }
  absl::StatusOr<AppendOutcome> Promote(const std::string& id, NewEvent event) const {
    Answer<absl::StatusOr<AppendOutcome>> answer;
    quarantine().Promote(id, std::move(event), answer.Callback());
    return answer.Wait();
  }
  bool Discard(const std::string& id) const {
    Answer<absl::StatusOr<bool>> answer;
    quarantine().Discard(id, answer.Callback());
    const auto was_there = answer.Wait();
    EXPECT_TRUE(was_there.ok()) << was_there.status();
    return was_there.ok() && *was_there;
  }
  std::vector<QuarantinedWebhook> Read(const QuarantineQuery& query = {}) const {
    auto page = quarantine().Read(query);
    EXPECT_TRUE(page.ok()) << page.status();
    return page.ok() ? *std::move(page) : std::vector<QuarantinedWebhook>();
  }
  static std::vector<std::string> Ids(const std::vector<QuarantinedWebhook>& page) {
    std::vector<std::string> ids;
    for (const QuarantinedWebhook& webhook : page) ids.push_back(webhook.quarantine_id);
    return ids;
  }

  TempDir dir_;
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'000)};
  Storage storage_;
};

INSTANTIATE_TEST_SUITE_P(Logs, QuarantineContractTest, ::testing::Values("sqlite", "memory"),
                         [](const auto& param) { return param.param; });

TEST_P(QuarantineContractTest, AWebhookIsKeptWhole) {
  const std::string body("{\"a\":\0\xff", 7);
  const auto outcome = Add(Webhook(body, QuarantineReason::kConflict));
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_FALSE(outcome->again);
  QuarantineQuery query;
  query.include_body = true;
  const auto page = Read(query);
  ASSERT_EQ(page.size(), 1u);
  EXPECT_EQ(page[0].quarantine_id, outcome->quarantine_id);
  EXPECT_EQ(page[0].reason, QuarantineReason::kConflict);
  EXPECT_EQ(page[0].detail, "byte 3: a value is expected");
  EXPECT_EQ(page[0].received_at, clock_.Now());
  EXPECT_EQ(page[0].times_received, 1u);
  EXPECT_EQ(page[0].body_bytes, 7u);
  EXPECT_EQ(page[0].body, body);
  EXPECT_EQ(page[0].event_id, "event-of-" + body);
  EXPECT_EQ(page[0].traceparent, "00-trace");
}

TEST_P(QuarantineContractTest, BodiesAreReadOnlyIfAskedFor) {
  AddBody("phone number");
  const auto page = Read();
  ASSERT_EQ(page.size(), 1u);
  EXPECT_EQ(page[0].body, "");
  EXPECT_EQ(page[0].body_bytes, 12u);
}

TEST_P(QuarantineContractTest, TheSameBodyIsKeptOnceAndCounted) {
  const auto first = Add(Webhook("body"));
  clock_.Advance(absl::Hours(1));
  const auto again = Add(Webhook("body", QuarantineReason::kNotARefundEvent));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->again);
  EXPECT_EQ(again->quarantine_id, first->quarantine_id);
  const auto page = Read();
  ASSERT_EQ(page.size(), 1u);
  EXPECT_EQ(page[0].times_received, 2u);
  EXPECT_EQ(page[0].received_at, clock_.Now() - absl::Hours(1)) << "when it first came";
  EXPECT_EQ(page[0].reason, QuarantineReason::kNotJson);
}

TEST_P(QuarantineContractTest, TheSameBodyTwiceInOneCommitIsKeptOnce) {
  std::vector<Answer<absl::StatusOr<QuarantineOutcome>>> answers(64);
  for (auto& answer : answers) quarantine().Add(Webhook("body"), answer.Callback());
  std::set<std::string> ids;
  int first = 0;
  for (auto& answer : answers) {
    const auto outcome = answer.Wait();
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    ids.insert(outcome->quarantine_id);
    first += outcome->again ? 0 : 1;
  }
  EXPECT_EQ(ids.size(), 1u);
  EXPECT_EQ(first, 1);
  EXPECT_EQ(Read()[0].times_received, 64u);
}

TEST_P(QuarantineContractTest, ItIsBounded) {
  Open(2);
  AddBody("a");
  const std::string b = AddBody("b");
  const auto full = Add(Webhook("c"));
  EXPECT_EQ(full.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonText(full.status()), "QUARANTINE_FULL");
  EXPECT_TRUE(Add(Webhook("a")).ok()) << "what is in it already is only counted";
  EXPECT_TRUE(AppendAndWait(log(), MakeEvent("good")).ok()) << "good webhooks go on";
  EXPECT_TRUE(Discard(b));
  EXPECT_TRUE(Add(Webhook("c")).ok());
}

TEST_P(QuarantineContractTest, PromotingAppendsAndTakesOutAsOneStep) {
  const std::string id = AddBody("a");
  ASSERT_TRUE(AppendAndWait(log(), MakeEvent("first")).ok());
  const auto promoted = Promote(id, MakeEvent("second"));
  ASSERT_TRUE(promoted.ok()) << promoted.status();
  EXPECT_EQ(promoted->sequence, 2u);
  EXPECT_FALSE(promoted->duplicate);
  EXPECT_TRUE(Read().empty());
  const auto seen = ReadAll(log());
  ASSERT_TRUE(seen.ok());
  ASSERT_EQ(seen->size(), 2u);
  EXPECT_EQ((*seen)[1].event_id, "second");
  const auto again = Promote(id, MakeEvent("third"));
  EXPECT_EQ(again.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonText(again.status()), "QUARANTINE_UNKNOWN");
  EXPECT_EQ(log().Info().last.sequence, 2u) << "nothing is appended for a webhook that is gone";
}

TEST_P(QuarantineContractTest, PromotingADuplicateChangesNothing) {
  const std::string id = AddBody("a");
  ASSERT_TRUE(AppendAndWait(log(), MakeEvent("first")).ok());
  const auto promoted = Promote(id, MakeEvent("first"));
  ASSERT_TRUE(promoted.ok()) << promoted.status();
  EXPECT_TRUE(promoted->duplicate);
  EXPECT_EQ(promoted->sequence, 1u);
  EXPECT_THAT(Ids(Read()), ElementsAre(id)) << "its content may differ: who asked decides";
}

TEST_P(QuarantineContractTest, TwoPromotionsOfOneWebhookAppendOnce) {
  const std::string id = AddBody("a");
  std::vector<Answer<absl::StatusOr<AppendOutcome>>> answers(16);
  for (size_t i = 0; i < answers.size(); ++i) {
    quarantine().Promote(id, MakeEvent(absl::StrCat("e", i)), answers[i].Callback());
  }
  int appended = 0;
  for (auto& answer : answers) appended += answer.Wait().ok() ? 1 : 0;
  EXPECT_EQ(appended, 1);
  EXPECT_EQ(log().Info().last.sequence, 1u);
}

TEST_P(QuarantineContractTest, PromotedEventsReachTheTailInOrder) {
  std::vector<std::string> seen;
  log().StartTail([&seen](absl::Span<const StoredEvent> events) {
    for (const StoredEvent& event : events) seen.emplace_back(event.event_id);
  });
  const std::string a = AddBody("a");
  const std::string b = AddBody("b");
  ASSERT_TRUE(Promote(a, MakeEvent("e1")).ok());
  ASSERT_TRUE(Promote(b, MakeEvent("e2")).ok());
  ASSERT_TRUE(log().Close(absl::InfiniteFuture()).ok());
  EXPECT_THAT(seen, ElementsAre("e1", "e2"));
}

TEST_P(QuarantineContractTest, DiscardingTellsWhetherItWasThere) {
  const std::string id = AddBody("a");
  EXPECT_TRUE(Discard(id));
  EXPECT_FALSE(Discard(id));
  EXPECT_FALSE(Discard("q-0000000000000000"));
  EXPECT_TRUE(Read().empty());
  EXPECT_NE(AddBody("a"), id) << "a body that comes again after it was discarded is new";
}

TEST_P(QuarantineContractTest, PagesGoOnInOrderOfArrival) {
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(AddBody(absl::StrCat("body ", i)));
  QuarantineQuery query;
  query.limit = 2;
  std::vector<std::string> read;
  for (auto page = Read(query); !page.empty(); page = Read(query)) {
    EXPECT_LE(page.size(), 2u);
    query.after_ordinal = page.back().ordinal;
    for (const std::string& id : Ids(page)) read.push_back(id);
  }
  EXPECT_EQ(read, ids);
}

TEST_P(QuarantineContractTest, APageIsBoundedInBytesOfBodies) {
  for (const char* body : {"1111", "22222222", "3333"}) AddBody(body);
  QuarantineQuery query;
  query.include_body = true;
  query.max_body_bytes = 6;
  auto page = Read(query);
  ASSERT_EQ(page.size(), 1u);
  query.after_ordinal = page[0].ordinal;
  page = Read(query);
  ASSERT_EQ(page.size(), 1u) << "one larger body goes alone";
  EXPECT_EQ(page[0].body, "22222222");
}

TEST_P(QuarantineContractTest, AQueryNamesReasonsOrIds) {
  const std::string a = AddBody("a");
  const auto conflict = Add(Webhook("b", QuarantineReason::kConflict));
  const std::string c = AddBody("c");
  QuarantineQuery by_reason;
  by_reason.reason = QuarantineReason::kConflict;
  EXPECT_THAT(Ids(Read(by_reason)), ElementsAre(conflict->quarantine_id));
  QuarantineQuery by_id;
  by_id.quarantine_ids = {c, "q-unknown", a, c};
  EXPECT_THAT(Ids(Read(by_id)), ElementsAre(a, c)) << "in order of arrival, each once";
  by_id.after_ordinal = Read(by_id)[0].ordinal;
  EXPECT_THAT(Ids(Read(by_id)), ElementsAre(c));
}

TEST_P(QuarantineContractTest, InfoFollowsEachChange) {
  EXPECT_EQ(quarantine().Info().webhooks, 0u);
  EXPECT_EQ(quarantine().Info().limit, kDefaultMaxQuarantinedWebhooks);
  EXPECT_FALSE(quarantine().Info().oldest_received_at.has_value());
  const absl::Time first_at = clock_.Now();
  const std::string first = AddBody("a");
  clock_.Advance(absl::Minutes(1));
  AddBody("b");
  EXPECT_EQ(quarantine().Info().webhooks, 2u);
  EXPECT_EQ(quarantine().Info().oldest_received_at, first_at);
  Discard(first);
  EXPECT_EQ(quarantine().Info().webhooks, 1u);
  EXPECT_EQ(quarantine().Info().oldest_received_at, clock_.Now());
}

TEST_P(QuarantineContractTest, AfterClosingItIsUnavailable) {
  const std::string id = AddBody("a");
  ASSERT_TRUE(log().Close(absl::InfiniteFuture()).ok());
  EXPECT_EQ(Add(Webhook("b")).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Promote(id, MakeEvent("e")).status().code(), absl::StatusCode::kUnavailable);
}

class SqliteQuarantineTest : public QuarantineContractTest {};
INSTANTIATE_TEST_SUITE_P(Durable, SqliteQuarantineTest, ::testing::Values("sqlite"),
                         [](const auto& param) { return param.param; });

TEST_P(SqliteQuarantineTest, ItOutlivesTheProcess) {
  const std::string a = AddBody("a");
  AddBody("b");
  Discard(a);
  Open(kDefaultMaxQuarantinedWebhooks);
  EXPECT_EQ(quarantine().Info().webhooks, 1u);
  EXPECT_EQ(Read().size(), 1u);
  const auto again = Add(Webhook("b"));
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->again);
  EXPECT_GT(Read()[0].ordinal, 1u) << "an ordinal is never used again";
}

}  // namespace
}  // namespace refund_relay
