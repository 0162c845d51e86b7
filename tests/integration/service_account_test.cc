// Tokens of service accounts over real gRPC: who is let in, how long a stream lasts, and what the log tells.
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/access/bearer_token.h"
#include "server/identity/service_account_tokens.h"
#include "tests/testing/called.h"
#include "tests/testing/log_lines.h"
#include "tests/testing/streaming_server.h"
#include "tests/testing/test_events.h"
#include "tests/testing/token_issuer.h"

namespace refund_relay {
namespace {

namespace v1 = refundrelay::v1;
using grpc::StatusCode;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Events = v1::RefundEventService::Stub;

std::string Policy(const std::string& account, const std::string& more = "") {
  return absl::StrCat(R"({"subscribers":{"books":{"service_accounts":[")", account, R"("],"events":"all")", more,
                      "}}}");
}

class ServiceAccountTest : public testing::Test {
 protected:
  ServiceAccountTest() {
    EXPECT_TRUE(keys_.Update(KeySet({key_.Jwk("key-1")})).ok());
    StreamingServer::Options options;
    options.access_policy = Policy("payments/books");
    options.service_accounts = &tokens_;
    options.stored = {MakeNewEvent(1)};
    server_ = std::make_unique<StreamingServer>(std::move(options));
    stub_ = server_->NewStub();
  }

  // A token of payments/books for the audience; its expiry may differ from the usual hour.
  std::string Token(const std::string& audience = "refund-relay", absl::Duration life = absl::Hours(1),
                    const std::string& key_id = "key-1") const {
    const int64_t usual = absl::ToUnixSeconds(now_) + 3600;
    return MakeToken(key_, {"ES256", absl::StrCat(R"({"alg":"ES256","kid":")", key_id, "\"}"),
                            absl::StrReplaceAll(KubernetesClaims(now_),
                                                {{"\"refund-relay\"", absl::StrCat("\"", audience, "\"")},
                                                 {absl::StrCat("\"exp\":", usual),
                                                  absl::StrCat("\"exp\":", absl::ToUnixSeconds(now_ + life))}})});
  }

  std::unique_ptr<StreamReader> Open(const std::string& token) {
    v1::SubscribeRequest request = FromEarliest();
    request.set_subscriber_name("books");
    auto stream = std::make_unique<StreamReader>(*stub_, request, token);
    EXPECT_TRUE(stream->Read().has_started());
    v1::SubscribeResponse response = stream->Read();
    while (!response.has_caught_up()) response = stream->Read();
    return stream;
  }

  static void ExpectSentAway(StreamReader& stream, const std::string& reason) {
    v1::SubscribeResponse response = stream.Read();
    while (response.has_heartbeat()) response = stream.Read();
    ASSERT_TRUE(response.has_going_away()) << response.ShortDebugString();
    EXPECT_EQ(response.going_away().reason(), reason);
    EXPECT_EQ(response.going_away().position().sequence(), 1u);
    EXPECT_FALSE(stream.TryRead(&response));
    const grpc::Status status = stream.Finish();
    EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
    EXPECT_EQ(ErrorInfoIn(status).reason(), reason);
  }

  void ExpectRefused(const std::string& token, StatusCode code, const std::string& reason, const std::string& words) {
    const auto called = Call(*stub_, &Events::GetLogInfo, v1::GetLogInfoRequest(), token);
    EXPECT_EQ(called.status.error_code(), code) << words;
    EXPECT_EQ(called.reason(), reason) << words;
    EXPECT_THAT(called.status.error_message(), HasSubstr(words));
    v1::SubscribeRequest request = FromEarliest();
    request.set_subscriber_name("books");
    StreamReader stream(*stub_, request, token);
    v1::SubscribeResponse response;
    EXPECT_FALSE(stream.TryRead(&response));
    EXPECT_EQ(stream.Finish().error_code(), code) << words;
  }

  // So many calls came to this result.
  double Counted(const std::string& key, const std::string& result) {
    for (const auto& family : server_->registry().Collect()) {
      if (family.name != "refund_relay_authentication_total") continue;
      for (const auto& metric : family.metric) {
        std::string labels;
        for (const auto& label : metric.label) absl::StrAppend(&labels, label.name, "=", label.value, ";");
        if (labels == absl::StrCat("key=", key, ";method=grpc_service_account;result=", result, ";")) {
          return metric.counter.value;
        }
      }
    }
    return 0;
  }

  const absl::Time now_ = absl::Now();
  const SigningKey key_ = SigningKey::Curve("P-256");
  LogLines lines_;
  TokenKeys keys_;
  ServiceAccountTokens tokens_{
      {"https://issuer.example", "refund-relay", absl::ZeroDuration()}, keys_, Clock::System()};
  std::unique_ptr<StreamingServer> server_;
  std::unique_ptr<Events> stub_;
};

TEST_F(ServiceAccountTest, ATokenIsItsAccountsSubscriberAndNothingElse) {
  const auto called = Call(*stub_, &Events::GetLogInfo, v1::GetLogInfoRequest(), Token());
  EXPECT_TRUE(called.status.ok()) << called.status.error_message();
  const auto stream = Open(Token());
  EXPECT_EQ(Counted("books", "authentic"), 2);
  ExpectRefused(Token("other"), StatusCode::UNAUTHENTICATED, "CREDENTIALS_REJECTED", "it is for another audience");
  ExpectRefused(Token("refund-relay", -absl::Hours(1)), StatusCode::UNAUTHENTICATED, "CREDENTIALS_REJECTED",
                "it has expired");
  EXPECT_EQ(Counted("none", "wrong"), 4);
  v1::SubscribeRequest request = FromEarliest();
  request.set_subscriber_name("support");
  StreamReader other(*stub_, request, Token());
  v1::SubscribeResponse response;
  EXPECT_FALSE(other.TryRead(&response));
  EXPECT_EQ(other.Finish().error_code(), StatusCode::PERMISSION_DENIED);
}

TEST_F(ServiceAccountTest, AnAccountThatThePolicyDoesNotNameIsNobody) {
  server_->ChangePolicy(Policy("payments/ledger"));
  ExpectRefused(Token(), StatusCode::UNAUTHENTICATED, "CREDENTIALS_REJECTED", "nobody here has this account");
}

TEST_F(ServiceAccountTest, ATokenByItsHashIsTakenBeforeItIsLookedInto) {
  const std::string token = Token("other");
  ExpectRefused(token, StatusCode::UNAUTHENTICATED, "CREDENTIALS_REJECTED", "it is for another audience");
  server_->ChangePolicy(absl::StrCat(R"({"subscribers":{"books":{"token_hashes":[")", TokenHashText(Sha256({token})),
                                     R"("],"events":"all"}}})"));
  const auto stream = Open(token);
  EXPECT_EQ(Counted("books", "authentic"), 0);
}

TEST_F(ServiceAccountTest, AStreamEndsWhenItsTokenDoesAndNotBefore) {
  const absl::Duration life = absl::Seconds(3);
  const auto stream = Open(Token("refund-relay", life));
  ExpectSentAway(*stream, "MAX_STREAM_AGE");
  EXPECT_GE(absl::Now(), absl::FromUnixSeconds(absl::ToUnixSeconds(now_ + life)));
  ExpectRefused(Token("refund-relay", life), StatusCode::UNAUTHENTICATED, "CREDENTIALS_REJECTED", "it has expired");
}

TEST_F(ServiceAccountTest, AChangedPolicyEndsTheStream) {
  const auto stream = Open(Token());
  server_->ChangePolicy(Policy("payments/ledger"));
  ExpectSentAway(*stream, "POLICY_CHANGED");
}

TEST_F(ServiceAccountTest, ARevokedKeyEndsTheStreamAndAnAddedOneDoesNot) {
  const auto stream = Open(Token());
  EXPECT_TRUE(keys_.Update(KeySet({key_.Jwk("key-1"), SigningKey::Curve("P-256").Jwk("key-2")})).ok());
  server_->server().PolicyChanged();
  AppendOrFail(server_->log(), MakeNewEvent(2));
  v1::SubscribeResponse response = stream->Read();
  while (response.has_heartbeat()) response = stream->Read();
  EXPECT_TRUE(response.has_batch()) << response.ShortDebugString();
  const auto again = Open(Token());
  EXPECT_TRUE(keys_.Update(KeySet({SigningKey::Curve("P-256").Jwk("key-1")})).ok());
  server_->server().PolicyChanged();
  response = again->Read();
  while (response.has_heartbeat()) response = again->Read();
  ASSERT_TRUE(response.has_going_away()) << response.ShortDebugString();
  EXPECT_EQ(response.going_away().reason(), "POLICY_CHANGED");
}

TEST_F(ServiceAccountTest, WhileTheKeyMayStillComeTheAnswerIsToTryAgain) {
  keys_.AskWith([] {});
  const std::string token = Token("refund-relay", absl::Hours(1), "key-2");
  ExpectRefused(token, StatusCode::UNAVAILABLE, "TOKEN_KEYS_UNAVAILABLE", "not here yet");
  EXPECT_EQ(Counted("none", "undecided"), 2);
  keys_.FetchBegins();
  EXPECT_TRUE(keys_.Update(KeySet({key_.Jwk("key-2")})).ok());
  keys_.FetchSucceeded();
  EXPECT_TRUE(Call(*stub_, &Events::GetLogInfo, v1::GetLogInfoRequest(), token).status.ok());
}

TEST_F(ServiceAccountTest, TheLogTellsTheCauseAndNothingOfTheToken) {
  keys_.AskWith([] {});
  const std::string refused = Token("secret-audience");
  ExpectRefused(refused, StatusCode::UNAUTHENTICATED, "CREDENTIALS_REJECTED", "another audience");
  const std::string undecided = Token("refund-relay", absl::Hours(1), "secret-key-id");
  ExpectRefused(undecided, StatusCode::UNAVAILABLE, "TOKEN_KEYS_UNAVAILABLE", "not here yet");
  const auto stream = Open(Token());
  EXPECT_THAT(lines_.With("it is for another audience"), Not(IsEmpty()));
  EXPECT_THAT(lines_.With("call refused"), Not(IsEmpty()));
  EXPECT_THAT(lines_.With("subscription refused"), IsEmpty()) << "a line that strangers could repeat without limit";
  for (const std::string& secret : {refused, undecided, refused.substr(refused.rfind('.')), std::string("secret-"),
                                    std::string("issuer.example"), std::string("payments")}) {
    EXPECT_THAT(lines_.With(secret), IsEmpty()) << secret;
  }
}

}  // namespace
}  // namespace refund_relay
