// The client library's credentials against a real server: token and certificate files that change, or go away.
#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "refund_relay/channel.h"
#include "refund_relay/rpc_error.h"
#include "server/access/bearer_token.h"
#include "server/translate/sha256.h"
#include "tests/testing/called.h"
#include "tests/testing/streaming_server.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/test_authority.h"
#include "tests/testing/test_tls_store.h"

namespace refund_relay {
namespace {

namespace v1 = refundrelay::v1;
using Events = v1::RefundEventService::Stub;

constexpr char kFirstToken[] = "the-first-token-of-the-ledger-01";
constexpr char kSecondToken[] = "the-next-token-of-the-ledger-002";

class ClientCredentialsTest : public testing::Test {
 protected:
  ClientCredentialsTest()
      : tls_(LoadedTlsStore(folder_, authority_.Issue("server", "DNS:localhost"), authority_.certificate())),
        ca_file_(folder_.Write("ca.crt", authority_.certificate())),
        token_file_(folder_.Write("token", kFirstToken)) {
    StreamingServer::Options options;
    options.grpc.tls = tls_.get();
    options.grpc.require_client_certificate = false;
    options.access_policy =
        absl::StrCat(R"({"subscribers": {"ledger": {"events": "all", "certificates": ["dns:ledger.internal"],)",
                     R"("token_hashes": [")", TokenHash(kFirstToken), R"("]}}})");
    server_ = std::make_unique<StreamingServer>(std::move(options));
  }

  static std::string TokenHash(const std::string& token) { return TokenHashText(Sha256({token})); }

  std::unique_ptr<Events> Stub(ChannelOptions options) const {
    options.ca_file = ca_file_;
    options.server_name = "localhost";
    return v1::RefundEventService::NewStub(MakeChannel(server_->address(), options).value());
  }

  static RpcError TryToCall(Events& stub) {
    return RpcErrorOf(Call(stub, &Events::GetLogInfo, v1::GetLogInfoRequest()).status);
  }

  TempDir folder_;
  TestAuthority authority_;
  std::unique_ptr<TlsStore> tls_;
  const std::string ca_file_;
  const std::string token_file_;
  std::unique_ptr<StreamingServer> server_;
};

TEST_F(ClientCredentialsTest, ATokenIsReadAnewForEachCall) {
  ChannelOptions options;
  options.token_file = token_file_;
  const auto stub = Stub(options);
  EXPECT_EQ(TryToCall(*stub).code, grpc::StatusCode::OK);
  folder_.Write("token", absl::StrCat(kSecondToken, "\n"));
  EXPECT_EQ(TryToCall(*stub).code, grpc::StatusCode::UNAUTHENTICATED);
  folder_.Write("token", absl::StrCat(kFirstToken, "\n"));
  EXPECT_EQ(TryToCall(*stub).code, grpc::StatusCode::OK);
}

TEST_F(ClientCredentialsTest, ATokenThatCannotBeReadIsWorthAnotherTry) {
  ChannelOptions options;
  options.token_file = token_file_;
  const auto stub = Stub(options);
  std::filesystem::remove(token_file_);
  const RpcError error = TryToCall(*stub);
  EXPECT_EQ(error.code, grpc::StatusCode::UNAVAILABLE) << error.message;
  EXPECT_NE(error.message.find(absl::StrCat("cannot read ", token_file_)), std::string::npos) << error.message;
  folder_.Write("token", kFirstToken);
  EXPECT_EQ(TryToCall(*stub).code, grpc::StatusCode::OK);
}

TEST_F(ClientCredentialsTest, ACertificateOfItsOwnMakesTheCaller) {
  const auto call_as = [this](const std::string& name) {
    const TestCertificate own = authority_.Issue("any", absl::StrCat("DNS:", name));
    ChannelOptions options;
    options.cert_file = folder_.Write(absl::StrCat(name, ".crt"), own.certificate);
    options.key_file = folder_.Write(absl::StrCat(name, ".key"), own.key);
    return TryToCall(*Stub(options)).code;
  };
  EXPECT_EQ(call_as("ledger.internal"), grpc::StatusCode::OK);
  EXPECT_EQ(call_as("other.internal"), grpc::StatusCode::UNAUTHENTICATED);
}

}  // namespace
}  // namespace refund_relay
