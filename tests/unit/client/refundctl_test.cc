// The binary itself: arguments, exit codes, and what goes to stdout and stderr.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "client/refundctl/webhook_credentials.h"
#include "refund_relay/position_text.h"
#include "tests/unit/client/refundctl_fixture.h"
#include "tests/unit/client/scripted_streams.h"
#include "tests/unit/client/tiny_http_server.h"

namespace refund_relay {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

TEST_F(RefundctlTest, WrongUsageIsTwoAndSaysWhat) {
  const std::pair<Arguments, const char*> cases[] = {
      {{}, "no command: choose tail, get, list, info, subscribers, positions, quarantine, policy, check or send"},
      {{"frob"}, "frob"},
      {{"tail", "--from=latest"}, "--name is required"},
      {{"tail", "--name=Books", "--from=latest"}, "is no subscriber name"},
      {{"tail", "--name=books"}, "give exactly one start"},
      {{"tail", "--name=books", "--from=latest", "--at-time=2h"}, "give exactly one start"},
      {{"tail", "--name=books", "--from=middle"}, "--from: middle"},
      {{"tail", "--name=books", "--after=log"}, "is no position"},
      {{"tail", "--name=books", "--at-time=soon"}, "is no time"},
      {{"tail", "--name=books", "--from=latest", "--type=gift"}, "--type: gift"},
      {{"tail", "--name=books", "--from=latest", "--max-events=-1"}, "is no count"},
      {{"tail", "--name=books", "--from=latest", "--until=1"}, "is no position"},
      {{"tail", "--name=books", "--from=latest", "--frob"}, "--frob"},
      {{"info", "--output=xml"}, "--output: xml"},
      {{"info", "--address=relay"}, "\"relay\" is no address: write HOST:PORT"},
      {{"info", "--address="}, "required HOST:PORT missing"},
      {{"info", "--address=:50051"}, "is no address"},
      {{"info", "--address=relay:"}, "is no address"},
      {{"info", "--address=relay:65536"}, "is no address"},
      {{"info", "--address=::1"}, "is no address"},
      {{"info", "--timeout=never"}, "is no duration"},
      {{"get"}, "EVENT_ID is required"},
      {{"get", ""}, "must not be empty"},
      {{"list", "--limit=many"}, "is no count"},
      {{"list", "--refund=a", "--payment-gateway-refund=b"}, "excludes"},
      {{"tail", "--name=books", "--from=latest", "--commit-every=5"}, "--commit-every requires --commit"},
      {{"subscribers", "--name=Books"}, "is no subscriber name"},
      {{"positions"}, "choose get, commit or delete"},
      {{"positions", "get"}, "NAME is required"},
      {{"positions", "get", "Books"}, "is no subscriber name"},
      {{"positions", "commit", "books"}, "--position is required"},
      {{"positions", "commit", "books", "--position=log"}, "is no position"},
      {{"positions", "commit", "books", "--position=log1:4", "--expected-version=x"}, "is no count"},
      {{"positions", "commit", "books", "--position=log1:4", "--type=pass", "--all-events"}, "--all-events excludes"},
      {{"positions", "delete"}, "NAME is required"},
      {{"quarantine"}, "choose list, show, retry or discard"},
      {{"quarantine", "list", "--reason=odd"}, "--reason: odd"},
      {{"quarantine", "show"}, "ID is required"},
      {{"quarantine", "show", "1", "2"}, "2"},
      {{"quarantine", "retry"}, "give either ids"},
      {{"quarantine", "retry", "1", "--all"}, "give either ids"},
      {{"quarantine", "discard"}, "there is no --all"},
      {{"quarantine", "discard", "--all"}, "--all"},
      {{"send", "--secret-file=x"}, "say what to send"},
      {{"send", "--sample=pass"}, "give --secret-file or --basic-file"},
      {{"send", "--sample=gift", "--secret-file=x"}, "--sample: gift"},
      {{"send", "body.json", "--sample=pass", "--secret-file=x"}, "excludes"},
      {{"send", "body.json", "--unique", "--secret-file=x"}, "--unique requires --sample"},
      {{"send", "--sample=pass", "--break-signature", "--basic-file=x"}, "--break-signature requires --secret-file"},
      {{"send", "--sample=pass", "--secret-file=x", "--url=ftp://relay/"}, "neither http:// nor https://"},
  };
  for (const auto& [arguments, why] : cases) {
    EXPECT_EQ(Run(arguments), 2) << why;
    EXPECT_THAT(err_, AllOf(StartsWith("refundctl: "), HasSubstr(why), HasSubstr("--help")));
    EXPECT_THAT(out_, IsEmpty());
  }
  EXPECT_THAT(service_.subscribe_requests(), IsEmpty());
}

TEST_F(RefundctlTest, HelpHasAnExampleOfEachCommandAndTheExitCodes) {
  EXPECT_EQ(Run({"--help"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("Exit codes:"), HasSubstr("REFUND_RELAY_ADDRESS")));
  const Arguments commands[] = {{"tail"},
                                {"get"},
                                {"list"},
                                {"info"},
                                {"send"},
                                {"subscribers"},
                                {"positions"},
                                {"positions", "get"},
                                {"positions", "commit"},
                                {"positions", "delete"},
                                {"quarantine"},
                                {"quarantine", "list"},
                                {"quarantine", "show"},
                                {"quarantine", "retry"},
                                {"quarantine", "discard"},
                                {"policy"},
                                {"policy", "check"},
                                {"policy", "hash-token"},
                                {"check"},
                                {"check", "webhooks"},
                                {"check", "subscribe"}};
  for (Arguments command : commands) {
    std::string example = "  refundctl ";
    for (const auto& word : command) example += word + " ";
    command.emplace_back("--help");
    EXPECT_EQ(Run(command), 0);
    EXPECT_THAT(out_, AllOf(HasSubstr("Example"), HasSubstr(example)));
    EXPECT_THAT(err_, IsEmpty());
  }
  EXPECT_EQ(Run({"--version"}), 0);
  EXPECT_THAT(out_, StartsWith("refundctl "));
}

TEST_F(RefundctlTest, WithoutAServerItIsThree) {
  for (const Arguments& arguments :
       std::vector<Arguments>{{"info"},
                              {"get", "x"},
                              {"list"},
                              {"subscribers"},
                              {"positions", "get", "books"},
                              {"positions", "commit", "books", "--position=log1:4"},
                              {"positions", "delete", "books"},
                              {"quarantine", "list"},
                              {"quarantine", "show", "1"},
                              {"quarantine", "retry", "--all"},
                              {"quarantine", "discard", "1"},
                              {"tail", "--name=books", "--from=latest", "--timeout=300ms"},
                              {"tail", "--name=books", "--from=committed", "--commit", "--timeout=300ms"}}) {
    Arguments all = arguments;
    all.emplace_back("--address=127.0.0.1:1");
    EXPECT_EQ(Run(all), 3) << arguments[0];
    EXPECT_THAT(err_, AllOf(HasSubstr("UNAVAILABLE"), HasSubstr("Check that refund-relay runs")));
  }
  const std::string any_file = REFUND_RELAY_TESTDATA "/refunded.pass.json";
  EXPECT_EQ(Run({"send", "--sample=pass", "--secret-file=" + any_file, "--url=http://127.0.0.1:1/", "--timeout=300ms"}),
            3);
  EXPECT_THAT(err_, AllOf(StartsWith("refundctl: nothing listens at 127.0.0.1:1 yet; trying again for 300ms\n"),
                          HasSubstr("refundctl: error: connecting to http://127.0.0.1:1")));
}

TEST_F(RefundctlTest, AStreamThatTheServerCancelsWithoutAReasonIsThree) {
  service_.AddStream({{Started(0), Batch(0, {1}, 1)}, {grpc::StatusCode::CANCELLED, "CANCELLED"}});
  EXPECT_EQ(Run({"tail", "--name=books", "--from=earliest", "--no-follow"}), 3);
  EXPECT_THAT(err_, HasSubstr("resume with --after=" + FormatPosition(At(1))));
}

TEST_F(RefundctlTest, AFileThatCannotBeReadIsFour) {
  EXPECT_EQ(Run({"send", "--sample=pass", "--secret-file=/nowhere/secret"}), 4);
  EXPECT_THAT(err_, HasSubstr("/nowhere/secret cannot be read: No such file"));
  EXPECT_EQ(Run({"send", "/nowhere/body", "--secret-file=/nowhere/secret"}), 4);
  EXPECT_THAT(err_, HasSubstr("/nowhere/body cannot be read"));
}

TEST_F(RefundctlTest, SendSignsTheBytesAndIsZeroOnlyAfter2xx) {
  const std::string body = "{\"any\": \"bytes\"} the end";
  const std::string body_file = testing::TempDir() + "refundctl_test_body_" + std::to_string(getpid());
  const std::string secret_file = testing::TempDir() + "refundctl_test_secret_" + std::to_string(getpid());
  std::ofstream(body_file) << body;
  std::ofstream(secret_file) << "whsec_test\n";
  const std::string signature = SignWebhook("whsec_test", body);
  {
    TinyHttpServer server("HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n{\"status\": \"accepted\"}\n");
    EXPECT_EQ(Run({"send", body_file, "--secret-file=" + secret_file, "--basic-file=" + secret_file,
                   "--url=" + server.url_text()}),
              0);
    EXPECT_EQ(out_, "200 OK\n{\"status\":\"accepted\"}\n");
    const std::string request = server.Request();
    EXPECT_THAT(request, HasSubstr("\r\nX-Conscent-Signature: " + signature + "\r\n"));
    EXPECT_THAT(request, HasSubstr("\r\nAuthorization: Basic d2hzZWNfdGVzdA==\r\n"));
    EXPECT_THAT(request, HasSubstr("\r\nContent-Type: application/json;charset=utf-8\r\n"));
    EXPECT_THAT(request, EndsWith("\r\n\r\n" + body));
  }
  {
    TinyHttpServer server("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}");
    EXPECT_EQ(Run({"send", body_file, "--secret-file=" + secret_file, "--url=" + server.url_text(), "--output=json",
                   "--break-signature"}),
              1);
    EXPECT_EQ(out_, "{\"kind\":\"answer\",\"status\":401,\"body\":{}}\n");
    const std::string request = server.Request();
    EXPECT_THAT(request, HasSubstr("X-Conscent-Signature: " + signature.substr(0, 63)));
    EXPECT_THAT(request, Not(HasSubstr(signature)));
    EXPECT_THAT(err_, IsEmpty());  // a 401 that was asked for
  }
  for (const char* kind : {"secret", "basic"}) {
    TinyHttpServer server("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}");
    EXPECT_EQ(Run({"send", body_file, std::string("--") + kind + "-file=" + secret_file, "--url=" + server.url_text()}),
              1);
    EXPECT_THAT(err_, HasSubstr(std::string("one of those in the server's --webhook_") + kind + "_files?\n"));
  }
  std::remove(body_file.c_str());
  std::remove(secret_file.c_str());
}

TEST_F(RefundctlTest, TailCarriesItsFlagsPrintsAndResumes) {
  service_.AddStream({{Started(0), Batch(0, {1, 2}, 4)}, RichError(grpc::StatusCode::UNAVAILABLE, "", "DRAINING")});
  service_.AddStream({{Started(4), Batch(4, {5}, 6), CaughtUpAt(6)}, grpc::Status::OK});
  EXPECT_EQ(Run({"tail", "--name=books", "--type=pass,pay_per_use", "--event-name=refunded.bundle", "--client-id=c1",
                 "--from=earliest", "--until-caught-up", "--until=log1:99", "--omit-personal-data",
                 "--heartbeat-interval=1500ms"}),
            0);
  const auto requests = service_.subscribe_requests();
  ASSERT_THAT(requests, SizeIs(2));
  EXPECT_EQ(requests[0].ShortDebugString(),
            "subscriber_name: \"books\" filter { event_types: REFUND_EVENT_TYPE_PASS event_types: "
            "REFUND_EVENT_TYPE_PAY_PER_USE event_names: \"refunded.bundle\" client_ids: \"c1\" } start_from: "
            "START_FROM_EARLIEST stop_when_caught_up: true until { log_id: \"log1\" sequence: 99 } "
            "heartbeat_interval { seconds: 1 nanos: 500000000 } omit_personal_data: true");
  EXPECT_EQ(FormatPosition(requests[1].after()), FormatPosition(At(4)));
  EXPECT_THAT(out_, AllOf(HasSubstr("       1  "), HasSubstr("event event-2\n"), EndsWith("event event-5\n")));
  EXPECT_THAT(err_, AllOf(HasSubstr("UNAVAILABLE DRAINING"), HasSubstr("caught up"),
                          EndsWith("refundctl: resume with --after=" + FormatPosition(At(6)) + "\n")));
}

TEST_F(RefundctlTest, TailAsJsonIsOneObjectALine) {
  service_.AddStream(
      {{Started(0), Batch(0, {1}, 1)}, RichError(grpc::StatusCode::OUT_OF_RANGE, "", "POSITION_EXPIRED")});
  EXPECT_EQ(Run({"tail", "--name=books", "--after=log1:0", "--output=json"}), 1);
  EXPECT_THAT(out_, AllOf(StartsWith(R"({"kind":"event","position":"log1:1:)"), HasSubstr(R"("sequence":"1")")));
  EXPECT_THAT(err_, AllOf(HasSubstr(R"({"kind":"started",)"),
                          HasSubstr(R"({"kind":"error","code":"OUT_OF_RANGE","reason":"POSITION_EXPIRED")"),
                          EndsWith("\"position\":\"" + FormatPosition(At(1)) + "\"}\n"),
                          HasSubstr(R"({"kind":"stopped_at",)")));
}

TEST_F(RefundctlTest, TailNeverJumpsOverAnExpiredPosition) {
  service_.AddStream({{Started(0), Batch(0, {1}, 1)}, RichError(grpc::StatusCode::UNAVAILABLE, "", "MAX_STREAM_AGE")});
  service_.AddStream({{}, RichError(grpc::StatusCode::OUT_OF_RANGE, "deleted up to 50", "POSITION_EXPIRED")});
  EXPECT_EQ(Run({"tail", "--name=books", "--from=earliest"}), 1);
  EXPECT_THAT(service_.subscribe_requests(), SizeIs(2));
  EXPECT_THAT(err_, AllOf(HasSubstr("OUT_OF_RANGE POSITION_EXPIRED: deleted up to 50"), HasSubstr("Repair them"),
                          HasSubstr("nothing can be read after this position any more (position " +
                                    FormatPosition(At(1)) + ")"),
                          Not(HasSubstr("resume with"))));
}

TEST_F(RefundctlTest, ADeadStreamIsReplaced) {
  auto started = Started(0);
  started.mutable_started()->mutable_heartbeat_interval()->set_seconds(0);
  started.mutable_started()->mutable_heartbeat_interval()->set_nanos(20'000'000);
  service_.AddStream({{started, Batch(0, {1}, 1)}, {}, true});
  service_.AddStream({{Started(1), Batch(1, {2}, 2)}, {}, true});
  EXPECT_EQ(Run({"tail", "--name=books", "--from=earliest", "--max-events=2"}), 0);
  EXPECT_EQ(FormatPosition(service_.subscribe_requests().at(1).after()), FormatPosition(At(1)));
  EXPECT_THAT(err_, HasSubstr("the stream is dead"));
}

TEST_F(RefundctlTest, ABrokenChainIsLoud) {
  service_.AddStream({{Started(0), Batch(3, {4}, 4)}, {}, true});
  EXPECT_EQ(Run({"tail", "--name=books", "--from=earliest", "--no-follow"}), 1);
  EXPECT_THAT(out_, IsEmpty());
  EXPECT_THAT(err_, HasSubstr("refundctl: error: DATA_LOSS CHAIN_BROKEN: the chain of batches is broken"));
}

TEST_F(RefundctlTest, AnInterruptTellsWhereToResume) {
  for (const auto& [signal, exit_code] : {std::pair{SIGINT, 130}, std::pair{SIGTERM, 143}}) {
    service_.AddStream({{Started(0), Batch(0, {1}, 1)}, {}, true});
    ChildProcess refundctl(REFUNDCTL, {"tail", "--name=books", "--from=earliest"}, Environment());
    EXPECT_THAT(refundctl.ReadLine(), EndsWith("event event-1"));
    refundctl.Signal(signal);
    EXPECT_EQ(refundctl.Wait(), exit_code);
    EXPECT_THAT(refundctl.err(), HasSubstr("refundctl: resume with --after=log1:1:"));
  }
}

TEST_F(RefundctlTest, AReaderThatWentAwayLosesNoEvent) {
  std::vector<refundrelay::v1::SubscribeResponse> responses = {Started(0)};
  for (uint64_t i = 0; i < 10'000; ++i) responses.push_back(Batch(i, {i + 1}, i + 1));
  service_.AddStream({std::move(responses), {}, true});
  ChildProcess refundctl(REFUNDCTL, {"tail", "--name=books", "--from=earliest"}, Environment());
  EXPECT_THAT(refundctl.ReadLine(), EndsWith("event event-1"));
  refundctl.CloseStdout();
  EXPECT_EQ(refundctl.Wait(), 4);
  EXPECT_THAT(refundctl.err(), AllOf(HasSubstr("OUTPUT_FAILED"), HasSubstr("refundctl: resume with --after=log1:")));
}

TEST_F(RefundctlTest, InfoPrintsFieldsOrJson) {
  EXPECT_EQ(Run({"info"}), 0);
  EXPECT_THAT(out_, StartsWith("log_id  "));
  EXPECT_EQ(Run({"--output=json", "info"}), 0);
  EXPECT_EQ(out_,
            "{\"kind\":\"log_info\",\"log_id\":\"log1\",\"first_sequence\":\"1\",\"last_sequence\":\"2\","
            "\"server_instance\":\"\",\"server_version\":\"\"}\n");
}

TEST_F(RefundctlTest, InfoOnAnEmptyLogShowsTheZero) {
  service_.SetLastSequence(0);
  EXPECT_EQ(Run({"info"}), 0);
  EXPECT_THAT(out_, testing::ContainsRegex("\nlast_sequence  *0\n"));
  EXPECT_EQ(Run({"info", "--output=json"}), 0);
  EXPECT_THAT(out_, HasSubstr("\"last_sequence\":\"0\""));
}

TEST_F(RefundctlTest, HelpSaysHowAPositionLooks) {
  EXPECT_EQ(Run({"tail", "--help"}), 0);
  EXPECT_THAT(Unwrapped(out_), AllOf(HasSubstr("none yet = earliest"), HasSubstr("as tail printed it")));
  EXPECT_THAT(out_, testing::ContainsRegex("--after=[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9]+:[0-9a-f]{16}\n"));
}

TEST_F(RefundctlTest, HelpShowsQuarantineIdsAsTheyLook) {
  for (const char* command : {"show", "discard"}) {
    EXPECT_EQ(Run({"quarantine", command, "--help"}), 0);
    EXPECT_THAT(out_, testing::ContainsRegex(std::string("refundctl quarantine ") + command + " q-[0-9a-f]{16}[ \n]"));
  }
}

TEST_F(RefundctlTest, GetPrintsOneEventOrTheServersReason) {
  refundrelay::v1::GetEventResponse response;
  *response.mutable_delivery() = Batch(0, {7}, 7).batch().deliveries(0);
  service_.SetEvent(response);
  EXPECT_EQ(Run({"get", "event-7"}), 0);
  EXPECT_THAT(out_, AllOf(StartsWith("sequence  "), HasSubstr("event-7\n")));
  EXPECT_EQ(Run({"get", "event-7", "--output=json"}), 0);
  EXPECT_EQ(out_, "{\"kind\":\"event\",\"sequence\":\"7\",\"event\":{\"event_id\":\"event-7\"}}\n");
  service_.SetEvent({}, RichError(grpc::StatusCode::NOT_FOUND, "no event x", "EVENT_UNKNOWN"));
  EXPECT_EQ(Run({"get", "x"}), 1);
  EXPECT_THAT(err_, HasSubstr("NOT_FOUND EVENT_UNKNOWN: no event x\n  No such event was ever stored"));
}

TEST_F(RefundctlTest, ListReadsPagesUpToItsLimit) {
  for (const uint64_t first : {1, 4}) {
    refundrelay::v1::ListEventsResponse page;
    for (uint64_t i = first; i < first + 3; ++i) *page.add_deliveries() = Batch(0, {i}, i).batch().deliveries(0);
    page.set_next_page_token("token-" + std::to_string(first));
    *page.mutable_position() = At(first + 2);
    service_.AddPage(page);
  }
  EXPECT_EQ(Run({"list", "--type=pass", "--since=2024-01-01T00:00:00Z", "--until-time=1h", "--limit=6"}), 0);
  const auto requests = service_.list_requests();
  ASSERT_THAT(requests, SizeIs(2));
  EXPECT_EQ(requests[0].page_size(), 6u);
  EXPECT_EQ(requests[0].stored_from().seconds(), 1'704'067'200);
  EXPECT_TRUE(requests[0].has_stored_until());
  EXPECT_EQ(requests[0].page_token(), "");
  EXPECT_EQ(requests[1].page_token(), "token-1");
  EXPECT_EQ(requests[1].page_size(), 3u);
  EXPECT_THAT(out_, AllOf(HasSubstr("event event-1\n"), EndsWith("event event-6\n")));
  EXPECT_THAT(err_, AllOf(HasSubstr("the limit of 6 events was reached"),
                          HasSubstr("resume with --after=" + FormatPosition(At(6)))));
}

TEST_F(RefundctlTest, ListWithoutALimitReadsToTheLastPage) {
  refundrelay::v1::ListEventsResponse page;
  page.set_next_page_token("more");
  service_.AddPage(page);  // a page may be empty and still have a next one
  *page.add_deliveries() = Batch(0, {3}, 3).batch().deliveries(0);
  page.clear_next_page_token();
  service_.AddPage(page);
  EXPECT_EQ(Run({"list", "--limit=0"}), 0);
  EXPECT_THAT(service_.list_requests(), SizeIs(2));
  EXPECT_THAT(out_, EndsWith("event event-3\n"));
}

TEST_F(RefundctlTest, ListShowsTheServersWordsForWhatItCannotDoYet) {
  service_.AddPage({}, {grpc::StatusCode::UNIMPLEMENTED, "refund_id: this server cannot look up by it yet"});
  EXPECT_EQ(Run({"list", "--refund=65e0"}), 1);
  EXPECT_EQ(service_.list_requests().at(0).refund_id(), "65e0");
  EXPECT_THAT(err_, HasSubstr("UNIMPLEMENTED: refund_id: this server cannot look up by it yet"));
}

TEST_F(RefundctlTest, AdviceFitsTheCommand) {
  service_.AddPage({}, RichError(grpc::StatusCode::OUT_OF_RANGE, "deleted up to 50", "POSITION_EXPIRED"));
  EXPECT_EQ(Run({"list", "--since=2h"}), 1);
  EXPECT_THAT(err_, AllOf(HasSubstr("Leave out --since"), Not(HasSubstr("--from"))));
  service_.SetPositionsStatus(RichError(grpc::StatusCode::FAILED_PRECONDITION, "it ends at 4", "POSITION_AHEAD"));
  EXPECT_EQ(Run({"positions", "commit", "books", "--position=log1:9", "--all-events"}), 1);
  EXPECT_THAT(err_, AllOf(HasSubstr("Commit a position of this log"), Not(HasSubstr("--from"))));
}

TEST_F(RefundctlTest, ListFindsARefundByEitherId) {
  service_.AddPage({});
  service_.AddPage({});
  service_.AddPage({});
  EXPECT_EQ(Run({"list", "--refund=rfnd_NgauHW7CMRO717"}), 0);
  EXPECT_EQ(Run({"list", "--refund=65e01fe8d03692125f1f356a"}), 0);
  EXPECT_EQ(Run({"list", "--payment-gateway-refund=other_1"}), 0);
  EXPECT_EQ(err_, "refundctl: no stored event matches\n");
  const auto requests = service_.list_requests();
  ASSERT_THAT(requests, SizeIs(3));
  EXPECT_EQ(requests[0].ShortDebugString(),
            "filter { } payment_gateway_refund_id: \"rfnd_NgauHW7CMRO717\" page_size: 100");
  EXPECT_EQ(requests[1].ShortDebugString(), "filter { } refund_id: \"65e01fe8d03692125f1f356a\" page_size: 100");
  EXPECT_EQ(requests[2].ShortDebugString(), "filter { } payment_gateway_refund_id: \"other_1\" page_size: 100");
}

TEST_F(RefundctlTest, TailCommitsWhatItPrintedAndGoesOnThere) {
  service_.AddStream({{Started(0), Batch(0, {1, 2}, 4), CaughtUpAt(4)}, grpc::Status::OK});
  service_.AddStream({{Started(4), Batch(4, {5}, 5), CaughtUpAt(5)}, grpc::Status::OK});
  const Arguments tail = {"tail", "--name=books", "--type=pass", "--from=earliest", "--commit", "--until-caught-up"};
  EXPECT_EQ(Run(tail), 0);
  EXPECT_THAT(err_, HasSubstr("committed under the name books (position " + FormatPosition(At(4)) + ")"));
  EXPECT_EQ(service_.committed().position().SerializeAsString(), At(4).SerializeAsString());
  EXPECT_EQ(service_.committed().filter().event_types_size(), 1);
  EXPECT_THAT(err_, Not(HasSubstr("going on at the committed position")));
  EXPECT_EQ(Run(tail), 0);
  EXPECT_THAT(
      err_, HasSubstr("going on at the committed position, not at --from (position " + FormatPosition(At(4)) + ")\n"));
  EXPECT_EQ(service_.subscribe_requests().at(0).start_from(), refundrelay::v1::START_FROM_EARLIEST);
  EXPECT_EQ(service_.subscribe_requests().at(1).start_from(), refundrelay::v1::START_FROM_COMMITTED);
  EXPECT_EQ(service_.committed().position().sequence(), 5u);
}

TEST_F(RefundctlTest, TailThatWasAskedForTheCommittedPositionDoesNotExplainIt) {
  service_.Commit(At(3));
  for (const auto& [start, told] : {std::pair<std::string, std::string>{"--from=committed", ""},
                                    {"--after=log1:1", "not at --after"},
                                    {"--at-time=2h", "not at --at-time"}}) {
    service_.AddStream({{Started(3), CaughtUpAt(3)}, grpc::Status::OK});
    EXPECT_EQ(Run({"tail", "--name=books", start, "--commit", "--until-caught-up"}), 0);
    EXPECT_THAT(err_, told.empty() ? Not(HasSubstr("going on at")) : testing::Matcher<std::string>(HasSubstr(told)));
  }
}

TEST_F(RefundctlTest, AFilterThatBecameWiderGetsNoPositionToResumeFrom) {
  service_.Commit(At(3));
  service_.AddStream({{}, RichError(grpc::StatusCode::FAILED_PRECONDITION, "narrower", "FILTER_WIDENED")});
  EXPECT_EQ(Run({"tail", "--name=books", "--from=earliest", "--commit"}), 1);
  EXPECT_THAT(err_, AllOf(HasSubstr("FILTER_WIDENED: narrower"), HasSubstr("refundctl positions delete NAME"),
                          Not(HasSubstr("resume with"))));
}

TEST_F(RefundctlTest, TailCommitsAsOftenAsAsked) {
  service_.AddStream({{Started(0), Batch(0, {1, 2, 3, 4, 5}, 5), CaughtUpAt(5)}, grpc::Status::OK});
  EXPECT_EQ(Run({"tail", "--name=books", "--from=earliest", "--commit", "--commit-every=2", "--until-caught-up"}), 0);
  std::vector<uint64_t> sequences;
  for (const auto& request : service_.commit_requests()) sequences.push_back(request.position().sequence());
  EXPECT_THAT(sequences, testing::ElementsAre(0, 2, 4, 5));
}

TEST_F(RefundctlTest, TailEndsWhenSomebodyElseCommitsUnderItsName) {
  service_.AddStream({{Started(0), Batch(0, {1}, 1), CaughtUpAt(1)}, grpc::Status::OK});
  service_.AddCommitFailure(RichError(grpc::StatusCode::ABORTED, "version 3 is in force", "VERSION_CHANGED"), false);
  EXPECT_EQ(Run({"tail", "--name=books", "--from=committed", "--commit"}), 1);
  EXPECT_THAT(out_, IsEmpty());
  EXPECT_THAT(err_, AllOf(HasSubstr("ABORTED VERSION_CHANGED: another process commits positions under the name books"),
                          HasSubstr("Two processes must not commit under one name")));
}

}  // namespace
}  // namespace refund_relay
