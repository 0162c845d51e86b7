// The quarantine over gRPC: listed, retried by a build that has learned more, discarded; over both logs.
#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "refundrelay/v1/admin_service.grpc.pb.h"
#include "server/stream/publisher.h"
#include "server/translate/sha256.h"
#include "tests/testing/log_probe.h"
#include "tests/testing/streaming_server.h"
#include "tests/testing/temp_dir.h"

namespace refund_relay {
namespace {

namespace v1 = refundrelay::v1;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A build that cannot read refunds of pounds: what the next one has to learn.
absl::StatusOr<ParsedWebhook> OlderParse(std::string_view body, const WebhookContext& context) {
  if (absl::StrContains(absl::string_view(body.data(), body.size()), "\"GBP\"")) {
    return absl::FailedPreconditionError("payload.refund.currency: an older build expects another one");
  }
  return ParseWebhook(body, context);
}

std::string Webhook(const std::string& refund_id, int amount = 5, const std::string& currency = "GBP") {
  return absl::StrCat(R"({"event":"refunded.pass","payload":{"refund":{"_id":")", refund_id, R"(","amount":)", amount,
                      R"(,"currency":")", currency, R"(","updatedAt":"2024-02-29T06:21:21.144Z"}}})");
}

class QuarantineTest : public ::testing::TestWithParam<std::string> {
 protected:
  QuarantineTest() { Start(ParseWebhook); }

  // A new process on the same folder: of the memory log, which would forget, only the build is new.
  void Start(ParseFunction parse) {
    StreamingServer::Options options;
    options.parse = std::move(parse);
    if (server_ != nullptr && GetParam() == "memory") {
      options.storage = server_->StopAndTakeStorage();
    }
    server_.reset();
    if (!options.storage.has_value()) {
      StorageOptions storage;
      storage.log = GetParam();
      storage.data_dir = dir_.path();
      auto opened = OpenStorage(storage);
      ASSERT_TRUE(opened.ok()) << opened.status();
      options.storage = *std::move(opened);
    }
    server_ = std::make_unique<StreamingServer>(std::move(options));
    stub_ = v1::AdminService::NewStub(grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()));
  }

  // As the ingress does with what its parser refuses.
  std::string Keep(const std::string& body, QuarantineReason reason = QuarantineReason::kNotARefundEvent,
                   const std::string& traceparent = "") {
    NewQuarantinedWebhook webhook;
    webhook.reason = reason;
    webhook.detail = "why";
    webhook.received_at = absl::FromUnixSeconds(1'700'000'000);
    webhook.body = body;
    const Sha256Digest digest = Sha256({body});
    webhook.body_hash.assign(digest.begin(), digest.end());
    webhook.traceparent = traceparent;
    Answer<absl::StatusOr<QuarantineOutcome>> answer;
    server_->storage().quarantine->Add(std::move(webhook), answer.Callback());
    const auto outcome = answer.Wait();
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome.ok() ? outcome->quarantine_id : "";
  }

  // As the ingress does with what its parser accepts.
  void Store(const std::string& body) {
    const auto parsed = ParseWebhook(body, {absl::Now(), ""});
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    NewEvent event;
    event.event_id = parsed->event.event_id();
    event.event_name = parsed->event.event_name();
    parsed->event.SerializeToString(&event.event);
    ASSERT_TRUE(AppendAndWait(server_->log(), std::move(event)).ok());
  }

  v1::ListQuarantinedWebhooksResponse List(const v1::ListQuarantinedWebhooksRequest& request = {}) {
    grpc::ClientContext context;
    v1::ListQuarantinedWebhooksResponse response;
    const grpc::Status status = stub_->ListQuarantinedWebhooks(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  grpc::Status Retry(const v1::RetryQuarantinedWebhooksRequest& request,
                     v1::RetryQuarantinedWebhooksResponse* response) {
    grpc::ClientContext context;
    return stub_->RetryQuarantinedWebhooks(&context, request, response);
  }
  std::vector<v1::RetryResult> RetryAll() {
    v1::RetryQuarantinedWebhooksRequest request;
    request.set_all(true);
    v1::RetryQuarantinedWebhooksResponse response;
    const grpc::Status status = Retry(request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return {response.results().begin(), response.results().end()};
  }
  v1::RetryResult RetryOne(const std::string& id) {
    v1::RetryQuarantinedWebhooksRequest request;
    request.add_quarantine_ids(id);
    v1::RetryQuarantinedWebhooksResponse response;
    const grpc::Status status = Retry(request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.results_size(), 1);
    return response.results_size() == 1 ? response.results(0) : v1::RetryResult();
  }
  std::vector<v1::RefundEvent> Events() {
    std::vector<v1::RefundEvent> events;
    const auto seen = ReadAll(server_->log());
    EXPECT_TRUE(seen.ok()) << seen.status();
    if (!seen.ok()) return events;
    for (const SeenEvent& event : *seen) EXPECT_TRUE(events.emplace_back().ParseFromString(event.event));
    return events;
  }

  TempDir dir_;
  std::unique_ptr<StreamingServer> server_;
  std::unique_ptr<v1::AdminService::Stub> stub_;
};

INSTANTIATE_TEST_SUITE_P(Logs, QuarantineTest, ::testing::Values("sqlite", "memory"),
                         [](const auto& param) { return param.param; });

TEST_P(QuarantineTest, ANewerBuildRetriesWhatAnOlderOneCouldNotRead) {
  Start(OlderParse);
  std::vector<std::string> ids;
  for (const char* refund : {"r3", "r1", "r2"}) ids.push_back(Keep(Webhook(refund)));
  for (const v1::RetryResult& result : RetryAll()) {
    EXPECT_EQ(result.outcome(), v1::RETRY_OUTCOME_STILL_QUARANTINED);
    EXPECT_THAT(result.detail(), HasSubstr("an older build"));
    EXPECT_EQ(result.event_id(), "");
  }
  EXPECT_EQ(List().webhooks_size(), 3);

  Start(ParseWebhook);
  Store(Webhook("stored-before"));
  const std::vector<v1::RetryResult> results = RetryAll();
  ASSERT_EQ(results.size(), 3u);
  std::vector<std::string> refunds;
  for (const v1::RefundEvent& event : Events()) refunds.push_back(event.refund().id());
  EXPECT_THAT(refunds, ElementsAre("stored-before", "r3", "r1", "r2")) << "at the end, in order of arrival";
  for (size_t i = 0; i < results.size(); ++i) {
    EXPECT_EQ(results[i].quarantine_id(), ids[i]);
    EXPECT_EQ(results[i].outcome(), v1::RETRY_OUTCOME_APPENDED);
    EXPECT_EQ(results[i].sequence(), i + 2);
    EXPECT_EQ(results[i].event_id(), Events()[i + 1].event_id());
  }
  EXPECT_EQ(List().webhooks_size(), 0);
  EXPECT_EQ(server_->promotions().stored(), 3u);
}

TEST_P(QuarantineTest, APromotedEventKeepsWhenItFirstCameAndItsTrace) {
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const absl::Time before = absl::Now();
  RetryOne(Keep(Webhook("r1"), QuarantineReason::kNotJson, trace));
  const auto events = Events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].first_received_at().seconds(), 1'700'000'000);
  EXPECT_GE(events[0].received_at().seconds(), absl::ToUnixSeconds(before)) << "the time of the retry";
  EXPECT_EQ(events[0].traceparent(), trace);
}

TEST_P(QuarantineTest, WhatIsStoredAlreadyLeavesTheQuarantine) {
  const std::string id = Keep(Webhook("r1"));
  Store(Webhook("r1"));
  const v1::RetryResult result = RetryOne(id);
  EXPECT_EQ(result.outcome(), v1::RETRY_OUTCOME_DUPLICATE);
  EXPECT_EQ(result.sequence(), 1u);
  EXPECT_EQ(Events().size(), 1u);
  EXPECT_EQ(List().webhooks_size(), 0);
}

TEST_P(QuarantineTest, WhatConflictsStays) {
  Store(Webhook("r1", 5));
  const std::string id = Keep(Webhook("r1", 6), QuarantineReason::kConflict);
  const v1::RetryResult result = RetryOne(id);
  EXPECT_EQ(result.outcome(), v1::RETRY_OUTCOME_STILL_QUARANTINED);
  EXPECT_THAT(result.detail(), HasSubstr("at sequence 1, has another content"));
  EXPECT_EQ(result.sequence(), 0u);
  EXPECT_EQ(Events().size(), 1u);
  EXPECT_EQ(List().webhooks_size(), 1);
}

TEST_P(QuarantineTest, TwoOfOneIdBecomeOneEventAndOneConflict) {
  Keep(Webhook("r1", 5));
  Keep(Webhook("r1", 6));
  const auto results = RetryAll();
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].outcome(), v1::RETRY_OUTCOME_APPENDED);
  EXPECT_EQ(results[1].outcome(), v1::RETRY_OUTCOME_STILL_QUARANTINED);
}

TEST_P(QuarantineTest, ManyAreRetriedInChunksAndInOrder) {
  constexpr int count = 150;  // more than two chunks
  for (int i = 0; i < count; ++i) Keep(i % 3 == 0 ? absl::StrCat("not json ", i) : Webhook(absl::StrCat("r", i)));
  const auto results = RetryAll();
  ASSERT_EQ(results.size(), static_cast<size_t>(count));
  std::vector<std::string> expected;
  for (int i = 0; i < count; ++i) {
    const auto& result = results[static_cast<size_t>(i)];
    EXPECT_EQ(result.outcome(), i % 3 == 0 ? v1::RETRY_OUTCOME_STILL_QUARANTINED : v1::RETRY_OUTCOME_APPENDED);
    if (i % 3 != 0) expected.push_back(absl::StrCat("r", i));
  }
  std::vector<std::string> refunds;
  for (const v1::RefundEvent& event : Events()) refunds.push_back(event.refund().id());
  EXPECT_EQ(refunds, expected);
}

TEST_P(QuarantineTest, RetriesAtTheSameTimeAppendEachOnce) {
  constexpr int kWebhooks = 100;
  for (int i = 0; i < kWebhooks; ++i) Keep(Webhook(absl::StrCat("r", i)));
  std::atomic<int> appended = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      for (const v1::RetryResult& result : RetryAll()) {
        appended += result.outcome() == v1::RETRY_OUTCOME_APPENDED ? 1 : 0;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(appended, kWebhooks);
  EXPECT_EQ(Events().size(), static_cast<size_t>(kWebhooks));
}

TEST_P(QuarantineTest, AnUnknownIdIsSaidToBeUnknown) {
  const std::string id = Keep(Webhook("r1"));
  v1::RetryQuarantinedWebhooksRequest request;
  for (const std::string& asked : {std::string("q-unknown"), id, id}) request.add_quarantine_ids(asked);
  v1::RetryQuarantinedWebhooksResponse response;
  ASSERT_TRUE(Retry(request, &response).ok());
  ASSERT_EQ(response.results_size(), 2);
  EXPECT_EQ(response.results(0).outcome(), v1::RETRY_OUTCOME_APPENDED);
  EXPECT_EQ(response.results(1).quarantine_id(), "q-unknown");
  EXPECT_EQ(response.results(1).outcome(), v1::RETRY_OUTCOME_UNKNOWN);
}

TEST_P(QuarantineTest, ARetryNamesWhatItMeans) {
  v1::RetryQuarantinedWebhooksRequest request;
  v1::RetryQuarantinedWebhooksResponse response;
  EXPECT_EQ(Retry(request, &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  request.set_all(true);
  request.add_quarantine_ids("q-1");
  EXPECT_EQ(Retry(request, &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  request.set_all(false);
  for (int i = 0; i < 1000; ++i) request.add_quarantine_ids(absl::StrCat("q-", i));
  EXPECT_EQ(Retry(request, &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_P(QuarantineTest, TheListIsPagedAndHidesBodiesUnlessAsked) {
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(Keep(absl::StrCat("body ", i)));
  v1::ListQuarantinedWebhooksRequest request;
  request.set_page_size(2);
  std::vector<std::string> read;
  int pages = 0;
  do {
    const auto page = List(request);
    ++pages;
    for (const auto& webhook : page.webhooks()) {
      read.push_back(webhook.quarantine_id());
      EXPECT_EQ(webhook.body(), "");
      EXPECT_EQ(webhook.body_bytes(), 6u);
      EXPECT_EQ(webhook.reason(), v1::QUARANTINE_REASON_NOT_A_REFUND_EVENT);
      EXPECT_EQ(webhook.detail(), "why");
      EXPECT_EQ(webhook.received_at().seconds(), 1'700'000'000);
      EXPECT_EQ(webhook.times_received(), 1u);
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(read, ids);
  EXPECT_EQ(pages, 3);

  v1::ListQuarantinedWebhooksRequest one;
  one.add_quarantine_ids(ids[3]);
  one.set_include_body(true);
  ASSERT_GE(List(one).webhooks_size(), 1);
  EXPECT_EQ(List(one).webhooks(0).body(), "body 3");
}

TEST_P(QuarantineTest, AWrongListRequestNamesItsField) {
  for (const char* field : {"reason", "page_size", "page_token"}) {
    v1::ListQuarantinedWebhooksRequest request;
    if (field == std::string("reason")) request.set_reason(static_cast<v1::QuarantineReason>(99));
    if (field == std::string("page_size")) request.set_page_size(1001);
    if (field == std::string("page_token")) request.set_page_token("x");
    grpc::ClientContext context;
    v1::ListQuarantinedWebhooksResponse response;
    const grpc::Status status = stub_->ListQuarantinedWebhooks(&context, request, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr(field));
  }
}

TEST_P(QuarantineTest, DiscardingIsDoneByName) {
  const std::string id = Keep("body");
  v1::DiscardQuarantinedWebhooksRequest request;
  v1::DiscardQuarantinedWebhooksResponse response;
  {
    grpc::ClientContext context;
    EXPECT_EQ(stub_->DiscardQuarantinedWebhooks(&context, request, &response).error_code(),
              grpc::StatusCode::INVALID_ARGUMENT);
  }
  request.add_quarantine_ids("q-unknown");
  request.add_quarantine_ids(id);
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->DiscardQuarantinedWebhooks(&context, request, &response).ok());
  ASSERT_EQ(response.results_size(), 2);
  EXPECT_EQ(response.results(0).quarantine_id(), "q-unknown");
  EXPECT_FALSE(response.results(0).discarded());
  EXPECT_TRUE(response.results(1).discarded());
  EXPECT_EQ(List().webhooks_size(), 0);
}

}  // namespace
}  // namespace refund_relay
