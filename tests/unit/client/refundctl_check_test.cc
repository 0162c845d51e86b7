// refundctl check, and send --every: what they ask of a server, and which answers they take for good.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "grpcpp/health_check_service_interface.h"
#include "tests/unit/client/refundctl_fixture.h"
#include "tests/unit/client/reserved_port.h"
#include "tests/unit/client/scripted_streams.h"
#include "tests/unit/client/tiny_http_server.h"

namespace refund_relay {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::SizeIs;

constexpr char kSampleEnd[] = "\n}\n";  // nowhere else in a sample

// The fake with gRPC's own health service, which is what the server has.
class CheckTest : public testing::Test {
 protected:
  CheckTest() {
    grpc::EnableDefaultHealthCheckService(true);
    service_ = std::make_unique<FakeEventService>();
    grpc::EnableDefaultHealthCheckService(false);
    service_->SetServing(true);
  }
  int Run(const Arguments& arguments) {
    ChildProcess refundctl(REFUNDCTL, arguments, {"REFUND_RELAY_ADDRESS=" + service_->address()});
    const int exit_code = refundctl.Wait();
    out_ = refundctl.out();
    err_ = refundctl.err();
    return exit_code;
  }

  std::unique_ptr<FakeEventService> service_;
  std::string out_;
  std::string err_;
};

TEST_F(CheckTest, SubscribeIsGoodIfHealthLogInfoAndStreamAre) {
  service_->AddStream({{Started(2)}, {}, /*stay_open=*/true});
  EXPECT_EQ(Run({"check", "subscribe", "--name=probe"}), 0) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("ok: the health of refundrelay.v1.RefundEventService is SERVING\n"),
                          HasSubstr("ok: GetLogInfo tells the log log1, which ends at 2\n"),
                          HasSubstr("ok: Subscribe as probe says started")));
  const auto requests = service_->subscribe_requests();
  ASSERT_THAT(requests, SizeIs(1));
  EXPECT_EQ(requests[0].ShortDebugString(), "subscriber_name: \"probe\" start_from: START_FROM_LATEST");
  EXPECT_THAT(service_->commit_requests(), SizeIs(0));
}

TEST_F(CheckTest, SubscribeIsBadIfTheServerIsNotServing) {
  service_->SetServing(false);
  EXPECT_EQ(Run({"check", "subscribe", "--name=probe"}), 1);
  EXPECT_THAT(err_, HasSubstr("is 2, not SERVING"));
}

TEST_F(CheckTest, SubscribeIsBadIfTheStreamIsRefused) {
  EXPECT_EQ(Run({"check", "subscribe", "--name=probe"}), 1);
  EXPECT_THAT(err_, HasSubstr("UNAUTHENTICATED"));
}

TEST_F(CheckTest, SubscribeIsBadIfTheStreamBeginsWithSomethingElse) {
  refundrelay::v1::SubscribeResponse heartbeat;
  *heartbeat.mutable_heartbeat()->mutable_position() = At(2);
  service_->AddStream({{heartbeat}, {}, /*stay_open=*/true});
  EXPECT_EQ(Run({"check", "subscribe", "--name=probe"}), 1);
  EXPECT_THAT(err_, HasSubstr("did not say `started` first"));
}

TEST_F(CheckTest, SubscribeIsBadIfTheStreamStaysSilent) {
  service_->AddStream({{}, {}, /*stay_open=*/true});
  EXPECT_EQ(Run({"check", "subscribe", "--name=probe", "--timeout=300ms"}), 3);
  EXPECT_THAT(err_, HasSubstr("said nothing in time"));
}

TEST_F(RefundctlTest, CheckSubscribeIsBadWithoutAHealthService) {
  EXPECT_EQ(Run({"check", "subscribe", "--name=probe"}), 1);
  EXPECT_THAT(err_, HasSubstr("UNIMPLEMENTED"));
}

TEST_F(RefundctlTest, CheckWebhooksWants401) {
  for (const auto& [answer, exit_code] : {std::pair{"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}", 0},
                                          std::pair{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 1}}) {
    TinyHttpServer server(answer, 0, kSampleEnd);
    EXPECT_EQ(Run({"check", "webhooks", "--url=" + server.url_text()}), exit_code) << err_;
    const std::string request = server.Request();
    EXPECT_THAT(request, testing::ContainsRegex("\r\nX-Conscent-Signature: [0-9a-f]{64}\r\n"));
  }
  EXPECT_THAT(err_, HasSubstr("was answered 200 OK, not 401"));
}

TEST_F(RefundctlTest, CheckWebhooksNeedsAServer) {
  ReservedPort port;
  EXPECT_EQ(Run({"check", "webhooks", "--url=http://" + port.address() + "/"}), 3);
}

TEST_F(RefundctlTest, SendEveryPostsFreshOnesAndGoesOnAfterARefusal) {
  ReservedPort port;
  const auto folder = std::filesystem::temp_directory_path() / ("refundctl_check_test_" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  const std::string secret = (folder / "secret").string();
  std::ofstream(secret) << "whsec_test\n";
  EXPECT_EQ(Run({"send", "--sample=pass", "--unique", "--secret-file=" + secret, "--every=1ms", "--count=3",
                 "--url=http://" + port.address() + "/"}),
            1);
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 3) << out_;
  EXPECT_THAT(out_, HasSubstr("Z no answer: "));
  EXPECT_THAT(err_, HasSubstr("3 webhooks posted, 0 of them answered 2xx"));
  TinyHttpServer server("HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{\"status\":\"accepted\"}", 0, kSampleEnd);
  EXPECT_EQ(Run({"send", "--sample=pass", "--unique", "--secret-file=" + secret, "--every=1ms", "--count=1",
                 "--output=json", "--url=" + server.url_text()}),
            0);
  EXPECT_THAT(out_, AllOf(HasSubstr("{\"kind\":\"answer\",\"posted_at\":\"20"),
                          HasSubstr("\"status\":200,\"body\":{\"status\":\"accepted\"}}\n")));
  EXPECT_EQ(Run({"send", "--sample=pass", "--secret-file=" + secret, "--every=1s"}), 2);
  EXPECT_THAT(err_, HasSubstr("--every needs --sample=NAME and --unique"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace refund_relay
