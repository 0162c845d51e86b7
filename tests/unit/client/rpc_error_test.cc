// Rich error details: decoding them, and advice on them.
#include "refund_relay/rpc_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "client/refundctl/advice.h"
#include "client/refundctl/exit_code.h"
#include "client/refundctl/flag_of_field.h"
#include "client/refundctl/notice_printer.h"
#include "refundrelay/v1/rpc_status.pb.h"

namespace refund_relay {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

template <typename Message>
void AddDetail(const std::string& name, const Message& message, refundrelay::v1::Status* status) {
  auto* any = status->add_details();
  any->set_type_url("type.googleapis.com/google.rpc." + name);
  any->set_value(message.SerializeAsString());
}

grpc::Status RichStatus() {
  refundrelay::v1::Status details;
  refundrelay::v1::ErrorInfo info;
  info.set_reason("POSITION_EXPIRED");
  info.set_domain("refund-relay");
  (*info.mutable_metadata())["first_sequence"] = "120";
  refundrelay::v1::BadRequest bad_request;
  auto* violation = bad_request.add_field_violations();
  violation->set_field("after");
  violation->set_description("too old");
  refundrelay::v1::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(3);
  AddDetail("DebugInfo", info, &details);
  AddDetail("ErrorInfo", info, &details);
  AddDetail("BadRequest", bad_request, &details);
  AddDetail("RetryInfo", retry, &details);
  return {grpc::StatusCode::OUT_OF_RANGE, "events were deleted", details.SerializeAsString()};
}

TEST(RpcErrorTest, DecodesTheDetails) {
  const RpcError error = RpcErrorOf(RichStatus());
  EXPECT_EQ(error.code, grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_EQ(error.message, "events were deleted");
  EXPECT_EQ(error.reason, "POSITION_EXPIRED");
  EXPECT_THAT(error.metadata, ElementsAre(Pair("first_sequence", "120")));
  ASSERT_EQ(error.field_violations.size(), 1u);
  EXPECT_EQ(error.field_violations[0].field, "after");
  EXPECT_EQ(error.retry_delay, absl::Seconds(3));
}

TEST(RpcErrorTest, DetailsThatAreNoneAreLeftOut) {
  const RpcError error = RpcErrorOf({grpc::StatusCode::INTERNAL, "broken", "\xFF\xFF not a message"});
  EXPECT_EQ(error.message, "broken");
  EXPECT_EQ(error.reason, "");
}

TEST(RpcErrorTest, AStatusCarriesReasonAndMetadataThereAndBack) {
  const RpcError error = RpcErrorOf(RichStatus());
  const absl::Status status = StatusOf(error);
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  const RpcError back = RpcErrorOf(status);
  EXPECT_EQ(back.code, error.code);
  EXPECT_EQ(back.message, error.message);
  EXPECT_EQ(back.reason, error.reason);
  EXPECT_EQ(back.metadata, error.metadata);
  EXPECT_TRUE(StatusOf(RpcError()).ok());
  EXPECT_TRUE(RpcErrorOf(absl::OkStatus()).ok());
}

TEST(RpcErrorTest, AsTextItIsOneLine) {
  RpcError error = RpcErrorOf(RichStatus());
  EXPECT_EQ(RpcErrorText(error), "OUT_OF_RANGE POSITION_EXPIRED {first_sequence=120}: events were deleted");
  error.message = "a\nb";
  error.reason.clear();
  EXPECT_EQ(RpcErrorText(error), "OUT_OF_RANGE: a\\x0ab");
}

TEST(RpcErrorTest, OnlyWhatMayPassIsTriedAgain) {
  for (const auto code :
       {grpc::StatusCode::UNAVAILABLE, grpc::StatusCode::RESOURCE_EXHAUSTED, grpc::StatusCode::DEADLINE_EXCEEDED,
        grpc::StatusCode::CANCELLED, grpc::StatusCode::INTERNAL, grpc::StatusCode::UNKNOWN}) {
    EXPECT_TRUE(IsPassing(MakeRpcError(code, ""))) << CodeName(code);
  }
  for (const auto code :
       {grpc::StatusCode::OK, grpc::StatusCode::INVALID_ARGUMENT, grpc::StatusCode::NOT_FOUND,
        grpc::StatusCode::FAILED_PRECONDITION, grpc::StatusCode::ABORTED, grpc::StatusCode::OUT_OF_RANGE,
        grpc::StatusCode::UNIMPLEMENTED, grpc::StatusCode::DATA_LOSS, grpc::StatusCode::UNAUTHENTICATED}) {
    EXPECT_FALSE(IsPassing(MakeRpcError(code, ""))) << CodeName(code);
  }
}

TEST(RpcErrorTest, UnavailableIsUnreachableOnlyIfNoServerGaveAReason) {
  EXPECT_TRUE(IsUnreachable(MakeRpcError(grpc::StatusCode::UNAVAILABLE, "refused")));
  EXPECT_TRUE(IsUnreachable(MakeRpcError(grpc::StatusCode::DEADLINE_EXCEEDED, "late")));
  EXPECT_TRUE(IsUnreachable(MakeRpcError(grpc::StatusCode::CANCELLED, "reset")));
  EXPECT_FALSE(IsUnreachable(MakeRpcError(grpc::StatusCode::UNAVAILABLE, "down", "STORAGE_UNAVAILABLE")));
  EXPECT_FALSE(IsUnreachable(MakeRpcError(grpc::StatusCode::CANCELLED, "why", "REASON")));
  EXPECT_FALSE(IsUnreachable(MakeRpcError(grpc::StatusCode::NOT_FOUND, "no")));
}

TEST(RpcErrorTest, CodesHaveTheirNames) {
  EXPECT_EQ(CodeName(grpc::StatusCode::OK), "OK");
  EXPECT_EQ(CodeName(grpc::StatusCode::UNAUTHENTICATED), "UNAUTHENTICATED");
  EXPECT_EQ(CodeName(grpc::StatusCode::DO_NOT_USE), "CODE_-1");
}

TEST(RpcErrorTest, EveryReasonOfTheContractHasAdvice) {
  for (const char* reason :
       {"POSITION_EXPIRED", "LOG_ID_CHANGED", "POSITION_AHEAD", "POSITION_MISMATCH", "FILTER_WIDENED", "EVENT_UNKNOWN",
        "EVENT_EXPIRED", "SUBSCRIBER_LIMIT", "DRAINING", "MAX_STREAM_AGE", "POLICY_CHANGED", "STORAGE_UNAVAILABLE",
        "CHECKSUM", "GAP", "VERSION_CHANGED", "WOULD_REWIND", "POSITION_UNKNOWN", "OVERLOADED"}) {
    EXPECT_NE(WhatToDo(MakeRpcError(grpc::StatusCode::ABORTED, "", reason), Command::kOther), "") << reason;
  }
}

TEST(RpcErrorTest, AdviceNamesOnlyFlagsThatTheCommandHas) {
  for (const char* reason : {"POSITION_EXPIRED", "LOG_ID_CHANGED", "POSITION_AHEAD", "POSITION_MISMATCH", "CHECKSUM"}) {
    const RpcError error = MakeRpcError(grpc::StatusCode::ABORTED, "", reason);
    EXPECT_THAT(WhatToDo(error, Command::kTail), AnyOf(HasSubstr("--from=earliest"), HasSubstr("--after="))) << reason;
    EXPECT_THAT(WhatToDo(error, Command::kList), AllOf(Not(HasSubstr("--from")), Not(HasSubstr("--at-time"))));
    for (const Command command : {Command::kPositionsCommit, Command::kOther}) {
      EXPECT_THAT(WhatToDo(error, command), AllOf(Not(IsEmpty()), Not(HasSubstr("--")))) << reason;
    }
  }
  const RpcError expired = MakeRpcError(grpc::StatusCode::OUT_OF_RANGE, "", "POSITION_EXPIRED");
  EXPECT_THAT(WhatToDo(expired, Command::kList), HasSubstr("Leave out --since"));
  const RpcError damaged = MakeRpcError(grpc::StatusCode::DATA_LOSS, "", "CHECKSUM");
  EXPECT_THAT(WhatToDo(damaged, Command::kList), HasSubstr("`refundctl tail` with --after="));
  const RpcError ahead = MakeRpcError(grpc::StatusCode::FAILED_PRECONDITION, "", "POSITION_AHEAD");
  EXPECT_THAT(WhatToDo(ahead, Command::kPositionsCommit), HasSubstr("Commit a position of this log"));
}

TEST(NoticePrinterTest, AnErrorNamesCodeReasonFieldsAndTheWayOut) {
  std::ostringstream err;
  NoticePrinter notices(err, OutputFormat::kText, Command::kTail);
  EXPECT_EQ(ReportError(notices, RpcErrorOf(RichStatus())), kExitRefused);
  EXPECT_THAT(err.str(), HasSubstr("refundctl: error: OUT_OF_RANGE POSITION_EXPIRED {first_sequence=120}: events were "
                                   "deleted\n  --after: too old\n"));
  EXPECT_THAT(err.str(), HasSubstr("--from=earliest"));
}

TEST(NoticePrinterTest, WrongFieldsAreToldOnceAndByTheirFlags) {
  std::ostringstream err;
  NoticePrinter notices(err, OutputFormat::kText);
  RpcError error = MakeRpcError(grpc::StatusCode::INVALID_ARGUMENT, "at_time: is a time to come; start: is missing");
  error.field_violations = {{"at_time", "is a time to come"}, {"start", "is missing"}};
  notices.Error(error);
  EXPECT_EQ(err.str(),
            "refundctl: error: INVALID_ARGUMENT\n  --at-time: is a time to come\n  start: is missing\n"
            "  Correct the request.\n");
  err.str("");
  error = MakeRpcError(grpc::StatusCode::INVALID_ARGUMENT, "stored_until: must not be before stored_from");
  error.field_violations = {{"stored_until", "must not be before stored_from"}};
  notices.Error(error);
  EXPECT_EQ(err.str(),
            "refundctl: error: INVALID_ARGUMENT\n  --until-time: must not be before --since\n  Correct the request.\n");
}

TEST(FlagOfFieldTest, NamesTheFlagAndThePart) {
  EXPECT_EQ(FlagOfField("filter.event_names[1]"), "--event-name, value 2");
  EXPECT_EQ(FlagOfField("after.log_id"), "--after, log_id");
  EXPECT_EQ(FlagOfField("until"), "--until");
  EXPECT_EQ(FlagOfField("stored_until"), "--until-time");
  EXPECT_EQ(FlagOfField("until_then"), "");
  EXPECT_EQ(FlagOfField("page_token"), "");
}

TEST(FlagOfFieldTest, NamesTheFlagsInASentence) {
  EXPECT_EQ(WithFlags("must not be before stored_from"), "must not be before --since");
  EXPECT_EQ(WithFlags("stored_from, (refund_id) after the position: a_name"),
            "--since, (--refund) after the position: a_name");
  EXPECT_EQ(WithFlags(""), "");
}

TEST(NoticePrinterTest, AnErrorIsOneJsonLine) {
  std::ostringstream err;
  NoticePrinter notices(err, OutputFormat::kJson);
  notices.Error(RpcErrorOf(RichStatus()));
  EXPECT_THAT(err.str(),
              HasSubstr(R"({"kind":"error","code":"OUT_OF_RANGE","reason":"POSITION_EXPIRED",)"
                        R"("message":"events were deleted","metadata":{"first_sequence":"120"},)"
                        R"("field_violations":[{"field":"after","flag":"--after","description":"too old"}],)"));
  EXPECT_EQ(err.str().find('\n'), err.str().size() - 1);
}

TEST(NoticePrinterTest, WordsOfTheServerCannotStartALine) {
  std::ostringstream err;
  NoticePrinter notices(err, OutputFormat::kText);
  notices.Error(MakeRpcError(grpc::StatusCode::INTERNAL, "a\nrefundctl: resume with --after=evil:1\x1b[2J", "R\n"));
  EXPECT_THAT(err.str(), HasSubstr("a\\x0arefundctl"));
  EXPECT_THAT(err.str(), testing::Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace refund_relay
