// Callers by client certificate, over TLS with certificates made here: only names in the subjectAltName count.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/called.h"
#include "tests/testing/log_lines.h"
#include "tests/testing/streaming_server.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/test_authority.h"
#include "tests/testing/test_events.h"
#include "tests/testing/test_tls_store.h"

namespace refund_relay {
namespace {

namespace v1 = refundrelay::v1;
using grpc::StatusCode;
using testing::IsEmpty;

using Events = v1::RefundEventService::Stub;

constexpr char kPolicy[] = R"({"subscribers": {
  "by-dns": {"certificates": ["dns:books.internal"], "events": "all"},
  "by-uri": {"certificates": ["uri:spiffe://example.org/ns/books/sa/books"], "events": "all"}
}})";

class ClientCertificateTest : public testing::Test {
 protected:
  ClientCertificateTest() {
    const TestCertificate own = authority_.Issue("server", "DNS:relay.internal");
    tls_ = LoadedTlsStore(folder_, own, authority_.certificate());
    StreamingServer::Options server;
    server.grpc.tls = tls_.get();
    server.grpc.require_client_certificate = false;
    server.access_policy = kPolicy;
    server.stored = {MakeNewEvent(1)};
    server_ = std::make_unique<StreamingServer>(std::move(server));
  }

  // A stub with this client certificate; without one if it is empty.
  std::unique_ptr<Events> Stub(const TestCertificate& certificate) const {
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride("relay.internal");
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return v1::RefundEventService::NewStub(grpc::CreateCustomChannel(
        server_->address(), grpc::SslCredentials({authority_.certificate(), certificate.key, certificate.certificate}),
        arguments));
  }

  // What a subscription under `name` ends with; OK once it has delivered the event.
  grpc::Status Subscribe(Events& stub, const std::string& name) {
    v1::SubscribeRequest request = FromEarliest();
    request.set_subscriber_name(name);
    request.set_stop_when_caught_up(true);
    StreamReader stream(stub, request);
    v1::SubscribeResponse response;
    int events = 0;
    while (stream.TryRead(&response)) events += response.batch().deliveries_size();
    const grpc::Status status = stream.Finish();
    EXPECT_EQ(events, status.ok() ? 1 : 0);
    return status;
  }

  TempDir folder_;
  TestAuthority authority_;
  std::unique_ptr<TlsStore> tls_;
  std::unique_ptr<StreamingServer> server_;
};

TEST_F(ClientCertificateTest, ADnsNameOrAUriInTheCertificateIsTheName) {
  const auto dns = Stub(authority_.Issue("any", "DNS:other.internal,DNS:books.internal"));
  EXPECT_TRUE(Subscribe(*dns, "by-dns").ok());
  EXPECT_EQ(Subscribe(*dns, "by-uri").error_code(), StatusCode::PERMISSION_DENIED);
  const auto uri = Stub(authority_.Issue("any", "URI:spiffe://example.org/ns/books/sa/books"));
  EXPECT_TRUE(Subscribe(*uri, "by-uri").ok());
  EXPECT_EQ(Subscribe(*uri, "by-dns").error_code(), StatusCode::PERMISSION_DENIED);
}

TEST_F(ClientCertificateTest, NoOtherPartOfACertificateCounts) {
  const LogLines lines;
  for (const auto& [common_name, names] :
       std::vector<std::pair<std::string, std::string>>{{"books.internal", ""},
                                                        {"books.internal", "DNS:stranger.internal"},
                                                        {"spiffe://example.org/ns/books/sa/books", ""},
                                                        {"any", "email:books@books.internal"},
                                                        {"any", "DNS:*.internal"},
                                                        {"any", "DNS:books.internal.evil.org"},
                                                        {"any", "URI:spiffe://example.org/ns/books/sa/other"},
                                                        {"any", "URI:books.internal"}}) {
    const auto stub = Stub(authority_.Issue(common_name, names));
    const auto called = Call(*stub, &Events::GetLogInfo, v1::GetLogInfoRequest());
    EXPECT_EQ(called.status.error_code(), StatusCode::UNAUTHENTICATED) << common_name << " " << names;
    EXPECT_EQ(called.reason(), "CREDENTIALS_REJECTED");
  }
  EXPECT_THAT(lines.With("evil"), IsEmpty());
  EXPECT_THAT(lines.With("stranger"), IsEmpty());
}

TEST_F(ClientCertificateTest, WithoutACertificateThereIsNoName) {
  const auto stub = Stub({});
  const auto called = Call(*stub, &Events::GetLogInfo, v1::GetLogInfoRequest());
  EXPECT_EQ(called.status.error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(called.reason(), "CREDENTIALS_MISSING");
}

TEST_F(ClientCertificateTest, AWrongTokenIsNotMadeGoodByACertificate) {
  const auto stub = Stub(authority_.Issue("any", "DNS:books.internal"));
  EXPECT_TRUE(Call(*stub, &Events::GetLogInfo, v1::GetLogInfoRequest()).status.ok());
  EXPECT_EQ(Call(*stub, &Events::GetLogInfo, v1::GetLogInfoRequest(), "wrong").status.error_code(),
            StatusCode::UNAUTHENTICATED);
}

// The connection stays; so it would with a session that a ticket resumes, where TLS looks at no date.
TEST_F(ClientCertificateTest, ACertificateThatExpiresEndsItsStreamsAndCalls) {
  authority_.set_validity(5);
  const auto stub = Stub(authority_.Issue("any", "DNS:books.internal"));
  v1::SubscribeRequest request = FromEarliest();
  request.set_subscriber_name("by-dns");
  StreamReader stream(*stub, request);
  v1::SubscribeResponse response;
  while (stream.TryRead(&response)) {
  }
  EXPECT_EQ(response.going_away().reason(), "MAX_STREAM_AGE");
  EXPECT_EQ(stream.Finish().error_code(), StatusCode::UNAVAILABLE);
  const auto called = Call(*stub, &Events::GetLogInfo, v1::GetLogInfoRequest());
  EXPECT_EQ(called.status.error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(called.reason(), "CREDENTIALS_REJECTED");
  EXPECT_THAT(called.status.error_message(), testing::HasSubstr("has expired"));
}

TEST_F(ClientCertificateTest, ACertificateOfAnotherAuthorityDoesNotEvenConnect) {
  TestAuthority other;
  const auto stub = Stub(other.Issue("any", "DNS:books.internal"));
  EXPECT_EQ(Call(*stub, &Events::GetLogInfo, v1::GetLogInfoRequest()).status.error_code(), StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace refund_relay
