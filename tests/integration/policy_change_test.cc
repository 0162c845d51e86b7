// The policy changes under open streams: who has other rights now is sent away, both ways; nobody else is.
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/access/bearer_token.h"
#include "tests/testing/called.h"
#include "tests/testing/streaming_server.h"
#include "tests/testing/test_events.h"

namespace refund_relay {
namespace {

namespace v1 = refundrelay::v1;
using grpc::StatusCode;

constexpr char kToken[] = "token-of-books";

std::string Policy(const std::string& rights, const std::string& token = kToken) {
  return absl::StrCat(R"({"subscribers":{"books":{"token_hashes":[")", TokenHashText(Sha256({token})), "\"],", rights,
                      R"(},"other":{"token_hashes":[")", TokenHashText(Sha256({"other"})), R"("],"events":"all"}}})");
}

class PolicyChangeTest : public testing::Test {
 protected:
  PolicyChangeTest() {
    StreamingServer::Options options;
    options.access_policy = Policy(R"("events":{"types":["pass"]})");
    options.stored = {MakeNewEvent(1), MakeNewEvent(2, "refunded.subscription")};
    server_ = std::make_unique<StreamingServer>(std::move(options));
    stub_ = server_->NewStub();
  }

  std::unique_ptr<StreamReader> Open(const std::string& name, const std::string& token) {
    v1::SubscribeRequest request = FromEarliest();
    request.set_subscriber_name(name);
    auto stream = std::make_unique<StreamReader>(*stub_, request, token);
    EXPECT_TRUE(stream->Read().has_started());
    v1::SubscribeResponse response = stream->Read();
    while (!response.has_caught_up()) response = stream->Read();
    return stream;
  }

  static void ExpectSentAway(StreamReader& stream, uint64_t position) {
    v1::SubscribeResponse response = stream.Read();
    while (response.has_heartbeat()) response = stream.Read();
    ASSERT_TRUE(response.has_going_away()) << response.ShortDebugString();
    EXPECT_EQ(response.going_away().reason(), "POLICY_CHANGED");
    EXPECT_EQ(response.going_away().position().sequence(), position);
    EXPECT_FALSE(stream.TryRead(&response));
    const grpc::Status status = stream.Finish();
    EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
    EXPECT_EQ(ErrorInfoIn(status).reason(), "POLICY_CHANGED");
  }

  // Still gets what comes.
  void ExpectOpen(StreamReader& stream, uint64_t number) {
    const uint64_t sequence = AppendOrFail(server_->log(), MakeNewEvent(number));
    v1::SubscribeResponse response = stream.Read();
    while (response.has_heartbeat()) response = stream.Read();
    ASSERT_TRUE(response.has_batch()) << response.ShortDebugString();
    EXPECT_EQ(response.batch().position().sequence(), sequence);
  }

  std::unique_ptr<StreamingServer> server_;
  std::unique_ptr<v1::RefundEventService::Stub> stub_;
};

TEST_F(PolicyChangeTest, WiderNarrowerOrOtherRightsEndTheStreamAndNoOther) {
  const auto other = Open("other", "other");
  uint64_t number = 10;
  for (const char* rights :
       {R"("events":"all")", R"("events":{"types":["pass"]})", R"("events":{"types":["pass"]},"personal_data":true)",
        R"("events":{"types":["pass"]})", R"("events":{"types":["subscription"]})"}) {
    const auto stream = Open("books", kToken);
    server_->ChangePolicy(Policy(rights));
    ExpectSentAway(*stream, server_->log().Info().last.sequence);
    ExpectOpen(*other, number++);
  }
}

TEST_F(PolicyChangeTest, WhoComesBackHasTheNewRights) {
  const auto stream = Open("books", kToken);
  server_->ChangePolicy(Policy(R"("events":"all")"));
  ExpectSentAway(*stream, 2);
  v1::SubscribeRequest request = FromEarliest();
  request.set_subscriber_name("books");
  StreamReader again(*stub_, request, kToken);
  EXPECT_EQ(again.Read().started().filter().ByteSizeLong(), 0u);
  EXPECT_EQ(again.Read().batch().deliveries_size(), 2);
}

TEST_F(PolicyChangeTest, UnchangedRightsKeepTheStream) {
  const auto stream = Open("books", kToken);
  // Another way to say the same, and rights that have nothing to do with streams.
  server_->ChangePolicy(Policy(R"("events":{"names":["refunded.pass"]},"description":"x","administer":true)"));
  ExpectOpen(*stream, 10);
}

TEST_F(PolicyChangeTest, ARevokedTokenEndsTheStreamAndIsUnknownThen) {
  const auto stream = Open("books", kToken);
  server_->ChangePolicy(Policy(R"("events":{"types":["pass"]})", "another"));
  ExpectSentAway(*stream, 2);
  v1::SubscribeRequest request = FromEarliest();
  request.set_subscriber_name("books");
  StreamReader again(*stub_, request, kToken);
  v1::SubscribeResponse response;
  EXPECT_FALSE(again.TryRead(&response));
  EXPECT_EQ(again.Finish().error_code(), StatusCode::UNAUTHENTICATED);
}

TEST_F(PolicyChangeTest, ARemovedNameEndsTheStream) {
  const auto stream = Open("books", kToken);
  server_->ChangePolicy(R"({"subscribers":{}})");
  ExpectSentAway(*stream, 2);
}

TEST_F(PolicyChangeTest, ABadPolicyChangesNothing) {
  const auto stream = Open("books", kToken);
  const absl::Status refused = server_->access().Update("policy.json", R"({"subscribers":{"books":{"evnts":"all"}}})");
  EXPECT_TRUE(absl::IsInvalidArgument(refused));
  EXPECT_THAT(std::string(refused.message()), testing::HasSubstr("policy.json: /subscribers/books/evnts: "));
  server_->server().PolicyChanged();
  ExpectOpen(*stream, 10);
}

}  // namespace
}  // namespace refund_relay
