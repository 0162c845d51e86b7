// The access policy over real gRPC, by bearer tokens: who is let in, and what each rpc shows and refuses.
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "refundrelay/v1/admin_service.grpc.pb.h"
#include "server/access/bearer_token.h"
#include "tests/testing/called.h"
#include "tests/testing/log_lines.h"
#include "tests/testing/log_probe.h"
#include "tests/testing/streaming_server.h"
#include "tests/testing/test_events.h"

namespace refund_relay {
namespace {

namespace v1 = refundrelay::v1;
using grpc::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Events = v1::RefundEventService::Stub;
using Admin = v1::AdminService::Stub;

constexpr char kBooks[] = "token-of-books";
constexpr char kPasses[] = "token-of-passes";
constexpr char kOperator[] = "token-of-operator";
constexpr char kNothing[] = "token-of-nothing";
constexpr char kDesk[] = "token-of-desk";
constexpr char kPhone[] = "9598598585";  // in each test event

std::string Name(const std::string& name, const std::string& token, const std::string& rights) {
  return absl::StrCat("\"", name, "\":{\"token_hashes\":[\"", TokenHashText(Sha256({token})), "\"]",
                      rights.empty() ? "" : ",", rights, "}");
}

std::string Policy() {
  return absl::StrCat("{\"subscribers\":{", Name("books", kBooks, R"("events":"all","personal_data":true)"), ",",
                      Name("passes", kPasses, R"("events":{"types":["pass"]})"), ",",
                      Name("operator", kOperator,
                           R"("events":"all","administer":true,"commit_for_others":true,"look_up_by_refund":true)"),
                      ",", Name("nothing", kNothing, ""), ",",
                      // Two names of one caller: all events, and passes by refund.
                      Name("desk-all", kDesk, R"("events":"all","personal_data":true)"), ",",
                      Name("desk-refunds", kDesk, R"("events":{"types":["pass"]},"look_up_by_refund":true)"), ",",
                      // A place that somebody has not filled in.
                      R"("blank":{"token_hashes":["sha256:)", std::string(64, '0'), R"("],"events":"all"})", "}}");
}

class AccessControlTest : public testing::Test {
 protected:
  AccessControlTest() {
    StreamingServer::Options options;
    options.access_policy = Policy();
    options.stored = {MakeNewEvent(1), MakeNewEvent(2, "refunded.subscription"), MakeNewEvent(3)};
    server_ = std::make_unique<StreamingServer>(std::move(options));
    events_ = server_->NewStub();
    admin_ = v1::AdminService::NewStub(server_->NewChannel());
  }

  static v1::SubscribeRequest Request(const std::string& name) {
    v1::SubscribeRequest request = FromEarliest();
    request.set_subscriber_name(name);
    request.set_stop_when_caught_up(true);
    return request;
  }

  // The sequences that a bounded read gives; the bytes of all messages go to `bytes_`.
  std::vector<uint64_t> ReadAll(const v1::SubscribeRequest& request, const std::string& token) {
    StreamReader stream(*events_, request, token);
    std::vector<uint64_t> sequences;
    v1::SubscribeResponse response;
    while (stream.TryRead(&response)) {
      if (response.has_started()) started_ = response.started();
      for (const auto& delivery : response.batch().deliveries()) sequences.push_back(delivery.sequence());
      bytes_ += response.SerializeAsString();
    }
    status_ = stream.Finish();
    return sequences;
  }

  std::unique_ptr<StreamingServer> server_;
  std::unique_ptr<Events> events_;
  std::unique_ptr<Admin> admin_;
  v1::Started started_;
  std::string bytes_;
  grpc::Status status_;
};

TEST_F(AccessControlTest, NobodyGetsIntoAnyRpcWithoutBeingKnown) {
  for (const auto& [token, reason] : std::vector<std::pair<std::string, std::string>>{
           {"", "CREDENTIALS_MISSING"}, {"unknown", "CREDENTIALS_REJECTED"}, {"two words", "CREDENTIALS_REJECTED"}}) {
    const auto expect_refused = [&](const auto& called, const char* what) {
      EXPECT_EQ(called.status.error_code(), StatusCode::UNAUTHENTICATED) << what;
      EXPECT_EQ(called.reason(), reason) << what;
    };
    expect_refused(Call(*events_, &Events::GetEvent, v1::GetEventRequest(), token), "GetEvent");
    expect_refused(Call(*events_, &Events::ListEvents, v1::ListEventsRequest(), token), "ListEvents");
    expect_refused(Call(*events_, &Events::GetLogInfo, v1::GetLogInfoRequest(), token), "GetLogInfo");
    expect_refused(Call(*events_, &Events::CommitPosition, v1::CommitPositionRequest(), token), "CommitPosition");
    expect_refused(Call(*events_, &Events::GetCommittedPosition, v1::GetCommittedPositionRequest(), token), "Get");
    expect_refused(Call(*admin_, &Admin::ListSubscribers, v1::ListSubscribersRequest(), token), "ListSubscribers");
    expect_refused(Call(*admin_, &Admin::DeleteCommittedPosition, v1::DeleteCommittedPositionRequest(), token), "Del");
    expect_refused(Call(*admin_, &Admin::ListQuarantinedWebhooks, v1::ListQuarantinedWebhooksRequest(), token), "List");
    expect_refused(Call(*admin_, &Admin::RetryQuarantinedWebhooks, v1::RetryQuarantinedWebhooksRequest(), token), "Re");
    expect_refused(Call(*admin_, &Admin::DiscardQuarantinedWebhooks, v1::DiscardQuarantinedWebhooksRequest(), token),
                   "Discard");
    EXPECT_THAT(ReadAll(Request("books"), token), IsEmpty());
    EXPECT_EQ(status_.error_code(), StatusCode::UNAUTHENTICATED);
    EXPECT_EQ(ErrorInfoIn(status_).reason(), reason);
    EXPECT_THAT(status_.error_message(), Not(HasSubstr("unknown ")));
  }
}

TEST_F(AccessControlTest, AnEmptyFilterMeansAllThatTheNameMaySee) {
  EXPECT_THAT(ReadAll(Request("books"), kBooks), ElementsAre(1, 2, 3));
  EXPECT_TRUE(status_.ok());
  EXPECT_EQ(started_.filter().ByteSizeLong(), 0u);
  EXPECT_THAT(bytes_, HasSubstr(kPhone));
  bytes_.clear();
  EXPECT_THAT(ReadAll(Request("passes"), kPasses), ElementsAre(1, 3));
  EXPECT_THAT(started_.filter().event_types(), ElementsAre(v1::REFUND_EVENT_TYPE_PASS));
  EXPECT_THAT(bytes_, AllOf(Not(HasSubstr(kPhone)), Not(HasSubstr(std::string(32, 'h'))), Not(HasSubstr("India"))));
}

TEST_F(AccessControlTest, LiveEventsAreNarrowedAndStrippedToo) {
  v1::SubscribeRequest request = Request("passes");
  request.set_stop_when_caught_up(false);
  request.set_start_from(v1::START_FROM_LATEST);
  StreamReader stream(*events_, request, kPasses);
  EXPECT_TRUE(stream.Read().has_started());
  EXPECT_TRUE(stream.Read().has_caught_up());
  AppendOrFail(server_->log(), MakeNewEvent(4, "refunded.subscription"));
  AppendOrFail(server_->log(), MakeNewEvent(5));
  v1::SubscribeResponse response = stream.Read();
  while (!response.has_batch()) response = stream.Read();
  EXPECT_TRUE(response.batch().live());
  ASSERT_EQ(response.batch().deliveries_size(), 1);
  EXPECT_EQ(response.batch().deliveries(0).sequence(), 5u);
  EXPECT_THAT(response.SerializeAsString(), Not(HasSubstr(kPhone)));
}

TEST_F(AccessControlTest, ANamedForbiddenTypeIsRefused) {
  v1::SubscribeRequest request = Request("passes");
  request.mutable_filter()->add_event_types(v1::REFUND_EVENT_TYPE_SUBSCRIPTION);
  EXPECT_THAT(ReadAll(request, kPasses), IsEmpty());
  EXPECT_EQ(status_.error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(ErrorInfoIn(status_).metadata().at("right"), "events");
  EXPECT_THAT(status_.error_message(), HasSubstr("REFUND_EVENT_TYPE_SUBSCRIPTION"));
  v1::ListEventsRequest list;
  *list.mutable_filter() = request.filter();
  EXPECT_EQ(Call(*events_, &Events::ListEvents, list, kPasses).right(), "events");
  EXPECT_TRUE(Call(*events_, &Events::ListEvents, list, kBooks).status.ok());
}

TEST_F(AccessControlTest, ANameIsForItsOwner) {
  for (const char* name : {"books", "absent"}) {
    EXPECT_THAT(ReadAll(Request(name), kPasses), IsEmpty());
    EXPECT_EQ(status_.error_code(), StatusCode::PERMISSION_DENIED);
    EXPECT_EQ(ErrorInfoIn(status_).metadata().at("right"), "subscriber_name");
  }
  EXPECT_THAT(ReadAll(Request("nothing"), kNothing), IsEmpty());
  EXPECT_EQ(ErrorInfoIn(status_).metadata().at("right"), "events") << "and a name without rights sees nothing";
}

TEST_F(AccessControlTest, AnEventThatIsNotSeenIsAsIfItDidNotExist) {
  v1::GetEventRequest request;
  request.set_event_id(MakeNewEvent(2).event_id);
  const auto shown = Call(*events_, &Events::GetEvent, request, kBooks);
  ASSERT_TRUE(shown.status.ok());
  EXPECT_EQ(shown.response.delivery().event().user().phone_number(), kPhone);
  const auto hidden = Call(*events_, &Events::GetEvent, request, kPasses);
  request.set_event_id("no-such-event");
  const auto absent = Call(*events_, &Events::GetEvent, request, kPasses);
  EXPECT_EQ(hidden.status.error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(hidden.reason(), "EVENT_UNKNOWN");
  EXPECT_EQ(hidden.status.error_message(), absent.status.error_message());
  EXPECT_EQ(hidden.status.error_details(), absent.status.error_details());
  request.set_event_id(MakeNewEvent(1).event_id);
  const auto seen = Call(*events_, &Events::GetEvent, request, kPasses);
  ASSERT_TRUE(seen.status.ok());
  EXPECT_EQ(seen.response.delivery().event().event_id(), MakeNewEvent(1).event_id);
  EXPECT_THAT(seen.response.SerializeAsString(), Not(HasSubstr(kPhone)));
}

TEST_F(AccessControlTest, ADeletedEventIsUnknownToWhoMayNotSeeAll) {
  TrimRequest everything;
  everything.stored_before = absl::InfiniteFuture();
  const auto trimmed = TrimAll(server_->log(), everything);
  ASSERT_TRUE(trimmed.ok()) << trimmed.status();
  v1::GetEventRequest request;
  request.set_event_id(MakeNewEvent(2).event_id);
  EXPECT_EQ(Call(*events_, &Events::GetEvent, request, kBooks).reason(), "EVENT_EXPIRED");
  EXPECT_EQ(Call(*events_, &Events::GetEvent, request, kPasses).reason(), "EVENT_UNKNOWN");
}

TEST_F(AccessControlTest, ListsAreNarrowedStrippedAndByRefundOnlyWithTheRight) {
  const auto list = [&](const v1::ListEventsRequest& request, const std::string& token) {
    const auto called = Call(*events_, &Events::ListEvents, request, token);
    EXPECT_TRUE(called.status.ok()) << called.status.error_message();
    bytes_ = called.response.SerializeAsString();
    std::vector<uint64_t> sequences;
    for (const auto& delivery : called.response.deliveries()) sequences.push_back(delivery.sequence());
    return sequences;
  };
  EXPECT_THAT(list({}, kBooks), ElementsAre(1, 2, 3));
  EXPECT_THAT(bytes_, HasSubstr(kPhone));
  EXPECT_THAT(list({}, kPasses), ElementsAre(1, 3));
  EXPECT_THAT(bytes_, Not(HasSubstr(kPhone)));
  v1::ListEventsRequest by_refund;
  by_refund.set_refund_id(MakeNewEvent(2).refund_id);
  EXPECT_THAT(list(by_refund, kOperator), ElementsAre(2));
  EXPECT_THAT(bytes_, Not(HasSubstr(kPhone)));
  EXPECT_EQ(Call(*events_, &Events::ListEvents, by_refund, kBooks).right(), "look_up_by_refund");
  by_refund.clear_refund_id();
  by_refund.set_payment_gateway_refund_id("rfnd_1");
  EXPECT_EQ(Call(*events_, &Events::ListEvents, by_refund, kBooks).right(), "look_up_by_refund");
  EXPECT_EQ(Call(*events_, &Events::ListEvents, v1::ListEventsRequest(), kNothing).right(), "events");
  EXPECT_TRUE(Call(*events_, &Events::GetLogInfo, v1::GetLogInfoRequest(), kNothing).status.ok());
}

TEST_F(AccessControlTest, ByRefundOnlyNamesWithThatRightCount) {
  const auto by_refund = [&](int number) {
    v1::ListEventsRequest request;
    request.set_refund_id(MakeNewEvent(number).refund_id);
    return Call(*events_, &Events::ListEvents, request, kDesk).response;
  };
  ASSERT_EQ(by_refund(1).deliveries_size(), 1);
  EXPECT_THAT(by_refund(1).SerializeAsString(), Not(HasSubstr(kPhone))) << "the right of the other name";
  EXPECT_EQ(by_refund(2).deliveries_size(), 0);
  const auto all = Call(*events_, &Events::ListEvents, v1::ListEventsRequest(), kDesk).response;
  EXPECT_EQ(all.deliveries_size(), 3);
  EXPECT_THAT(all.SerializeAsString(), HasSubstr(kPhone));
}

TEST_F(AccessControlTest, AuthorizationTwiceIsNoAuthorization) {
  const auto call = [&](const std::vector<std::string>& values) {
    grpc::ClientContext context;
    for (const std::string& value : values) context.AddMetadata("authorization", value);
    v1::GetLogInfoResponse response;
    return events_->GetLogInfo(&context, v1::GetLogInfoRequest(), &response);
  };
  const std::string good = absl::StrCat("Bearer ", kBooks);
  EXPECT_TRUE(call({good}).ok());
  for (const std::vector<std::string>& values :
       {std::vector{good, good}, {good, "Bearer other"}, {"Basic abc", good}}) {
    EXPECT_EQ(call(values).error_code(), StatusCode::UNAUTHENTICATED) << values[1];
    EXPECT_EQ(ErrorInfoIn(call(values)).reason(), "CREDENTIALS_REJECTED");
  }
}

TEST_F(AccessControlTest, AnIllFormedTokenIsNobodyAlsoWhereAHashIsBlank) {
  EXPECT_EQ(Call(*events_, &Events::GetLogInfo, v1::GetLogInfoRequest(), "two words").status.error_code(),
            StatusCode::UNAUTHENTICATED);
}

TEST_F(AccessControlTest, PositionsAreForTheirOwnerOrWithTheRight) {
  v1::CommitPositionRequest commit;
  commit.set_subscriber_name("passes");
  *commit.mutable_position() = server_->PositionAt(2);
  EXPECT_TRUE(Call(*events_, &Events::CommitPosition, commit, kPasses).status.ok());
  EXPECT_EQ(Call(*events_, &Events::CommitPosition, commit, kBooks).right(), "commit_for_others");
  EXPECT_TRUE(Call(*events_, &Events::CommitPosition, commit, kOperator).status.ok());
  v1::GetCommittedPositionRequest get;
  get.set_subscriber_name("passes");
  EXPECT_EQ(Call(*events_, &Events::GetCommittedPosition, get, kPasses).response.position().sequence(), 2u);
  EXPECT_EQ(Call(*events_, &Events::GetCommittedPosition, get, kBooks).right(), "commit_for_others");
  EXPECT_TRUE(Call(*events_, &Events::GetCommittedPosition, get, kOperator).status.ok());
  commit.mutable_filter()->add_event_names("refunded.subscription");
  EXPECT_EQ(Call(*events_, &Events::CommitPosition, commit, kPasses).right(), "events");
}

TEST_F(AccessControlTest, CommittedFiltersAreComparedAsRequested) {
  v1::CommitPositionRequest commit;
  commit.set_subscriber_name("passes");
  *commit.mutable_position() = server_->PositionAt(1);
  ASSERT_TRUE(Call(*events_, &Events::CommitPosition, commit, kPasses).status.ok());
  // Asked for all and got passes; asking for all again, with all rights now, is the same request.
  server_->ChangePolicy(absl::StrReplaceAll(Policy(), {{R"("events":{"types":["pass"]})", R"("events":"all")"}}));
  v1::SubscribeRequest request = Request("passes");
  request.set_start_from(v1::START_FROM_COMMITTED);
  EXPECT_THAT(ReadAll(request, kPasses), ElementsAre(2, 3));
  EXPECT_TRUE(status_.ok()) << status_.error_message();
}

TEST_F(AccessControlTest, AdminServiceIsForAdministrators) {
  for (const char* token : {kBooks, kPasses, kNothing}) {
    EXPECT_EQ(Call(*admin_, &Admin::ListSubscribers, v1::ListSubscribersRequest(), token).right(), "administer");
    EXPECT_EQ(Call(*admin_, &Admin::DeleteCommittedPosition, v1::DeleteCommittedPositionRequest(), token).right(),
              "administer");
    EXPECT_EQ(Call(*admin_, &Admin::ListQuarantinedWebhooks, v1::ListQuarantinedWebhooksRequest(), token).right(),
              "administer");
    EXPECT_EQ(Call(*admin_, &Admin::RetryQuarantinedWebhooks, v1::RetryQuarantinedWebhooksRequest(), token).right(),
              "administer");
    EXPECT_EQ(Call(*admin_, &Admin::DiscardQuarantinedWebhooks, v1::DiscardQuarantinedWebhooksRequest(), token).right(),
              "administer");
  }
  EXPECT_TRUE(Call(*admin_, &Admin::ListSubscribers, v1::ListSubscribersRequest(), kOperator).status.ok());
}

TEST_F(AccessControlTest, WhatIsNotAllowedIsLoggedByNameAndReasonWithoutTheToken) {
  const LogLines lines;
  Call(*admin_, &Admin::ListSubscribers, v1::ListSubscribersRequest(), kPasses);
  Call(*events_, &Events::GetLogInfo, v1::GetLogInfoRequest(), "token-of-a-stranger");
  ReadAll(Request("books"), kPasses);
  EXPECT_THAT(lines.With("ListSubscribers"),
              ElementsAre(AllOf(HasSubstr("\"call refused\""), HasSubstr("\"subscriber\":\"passes\""),
                                HasSubstr("NOT_ALLOWED"), HasSubstr("\"right\":\"administer\""))));
  EXPECT_THAT(lines.With("GetLogInfo"), ElementsAre(AllOf(HasSubstr("\"subscriber\":\"none\""), HasSubstr("grpc_token"),
                                                          HasSubstr("CREDENTIALS_REJECTED"))));
  EXPECT_THAT(lines.With("\"Subscribe\""), ElementsAre(HasSubstr("\"right\":\"subscriber_name\"")));
  EXPECT_THAT(lines.With("token-of"), IsEmpty());
  EXPECT_THAT(lines.With(LowerHex(Sha256({"token-of-a-stranger"}), 8)), IsEmpty());
}

TEST_F(AccessControlTest, AFloodOfRefusalsDoesNotFillTheLog) {
  const LogLines lines;
  const absl::Time begun = absl::Now();
  for (int i = 0; i < 10'000; ++i) {
    server_->access().LogRefusal("GetLogInfo", Caller(), "peer", absl::UnauthenticatedError("x"));
  }
  const double seconds = absl::ToDoubleSeconds(absl::Now() - begun);
  const size_t logged = lines.With("call refused").size();
  EXPECT_GE(logged, 10u);
  EXPECT_LE(static_cast<double>(logged), AccessControl::kMostRefusalLines * (seconds + 1));
}

TEST_F(AccessControlTest, EachCallerIsCountedByItsName) {
  Call(*events_, &Events::GetLogInfo, v1::GetLogInfoRequest(), kPasses);
  Call(*events_, &Events::GetLogInfo, v1::GetLogInfoRequest(), kPasses);
  Call(*events_, &Events::GetLogInfo, v1::GetLogInfoRequest(), "wrong");
  Call(*events_, &Events::GetLogInfo, v1::GetLogInfoRequest(), "ill formed");
  Call(*events_, &Events::GetLogInfo, v1::GetLogInfoRequest());
  std::vector<std::string> series;
  for (const prometheus::MetricFamily& family : server_->registry().Collect()) {
    if (family.name != "refund_relay_authentication_total") continue;
    for (const auto& metric : family.metric) {
      std::string text = absl::StrCat(metric.counter.value);
      for (const auto& label : metric.label) absl::StrAppend(&text, " ", label.name, "=", label.value);
      series.push_back(text);
    }
  }
  EXPECT_THAT(series, testing::UnorderedElementsAre("2 key=passes method=grpc_token result=authentic",
                                                    "1 key=none method=grpc_token result=wrong",
                                                    "1 key=none method=grpc_token result=ill_formed",
                                                    "1 key=none method=grpc_none result=absent"));
}

TEST(WithoutAPolicyTest, NobodyIsAskedWhoItIs) {
  StreamingServer server({.stored = {MakeNewEvent(1)}});
  const auto stub = server.NewStub();
  EXPECT_TRUE(Call(*stub, &Events::GetLogInfo, v1::GetLogInfoRequest()).status.ok());
  EXPECT_TRUE(Call(*stub, &Events::GetLogInfo, v1::GetLogInfoRequest(), "any").status.ok());
}

}  // namespace
}  // namespace refund_relay
