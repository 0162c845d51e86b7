// Who is authentic: HMAC and Basic, alone and together, right and wrong.
#include "server/ingress/authenticator.h"

#include <gtest/gtest.h>

#include <thread>

#include "server/ingress/credential_store.h"
#include "tests/testing/running_ingress.h"

namespace refund_relay {
namespace {

using refund_relay::testing::BasicHeader;
using refund_relay::testing::Sign;
using Fields = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view kBody = R"({"a":1})";

class AuthenticatorTest : public ::testing::Test {
 protected:
  AuthenticatorTest() : store_({"/x/secrets"}, {"/x/basic"}) {
    EXPECT_TRUE(store_.Update("/x/secrets", "first\n\nsecond").ok());
    EXPECT_TRUE(store_.Update("/x/basic", "user:pass\nkey:a:b").ok());
  }

  static RequestHead Head(const Fields& fields) {
    RequestHead head;
    for (const auto& [name, value] : fields) head.AddField(name, value);
    return head;
  }

  static AuthenticationResult Claim(const Fields& fields) { return ReadAuthenticationClaim(Head(fields)).result; }

  // `<method>/<key>`, or `wrong`.
  std::string Verify(const Fields& fields, std::string_view body = kBody) {
    const AuthenticationClaim claim = ReadAuthenticationClaim(Head(fields));
    EXPECT_EQ(claim.result, AuthenticationResult::kAuthentic) << claim.detail;
    const auto credentials = store_.Snapshot();
    const Authentication found = VerifyAuthenticationClaim(claim, body, *credentials);
    if (found.result != AuthenticationResult::kAuthentic) return "wrong";
    return std::string(AuthenticationMethodName(found.method)) + "/" + std::string(found.key);
  }

  CredentialStore store_;
};

TEST_F(AuthenticatorTest, AnySecretSignsAndTheKeyIsNamed) {
  EXPECT_EQ(Verify({{"X-Conscent-Signature", Sign(kBody, "first")}}), "signature/secrets:1");
  EXPECT_EQ(Verify({{"x-conscent-signature", Sign(kBody, "second")}}), "signature/secrets:3");
  EXPECT_EQ(Verify({{"X-Conscent-Signature", Sign("", "first")}}, ""), "signature/secrets:1");
}

TEST_F(AuthenticatorTest, KnownVector) {
  // RFC 4231, test case 2.
  ASSERT_TRUE(store_.Update("/x/secrets", "Jefe").ok());
  EXPECT_EQ(Verify({{"X-Conscent-Signature", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"}},
                   "what do ya want for nothing?"),
            "signature/secrets:1");
}

TEST_F(AuthenticatorTest, WrongSignatures) {
  EXPECT_EQ(Verify({{"X-Conscent-Signature", Sign(kBody, "third")}}), "wrong");
  EXPECT_EQ(Verify({{"X-Conscent-Signature", Sign(kBody, "first")}}, R"({"a":2})"), "wrong");
  EXPECT_EQ(Verify({{"X-Conscent-Signature", std::string(64, '0')}}), "wrong");
}

TEST_F(AuthenticatorTest, AnyPairAndTheKeyIsNamed) {
  EXPECT_EQ(Verify({{"Authorization", BasicHeader("user:pass")}}), "basic/basic:1");
  EXPECT_EQ(Verify({{"Authorization", "basic  a2V5OmE6Yg=="}}), "basic/basic:2");
  EXPECT_EQ(Verify({{"Authorization", BasicHeader("user:a:b")}}), "wrong");
  EXPECT_EQ(Verify({{"Authorization", BasicHeader("user:")}}), "wrong");
}

TEST_F(AuthenticatorTest, SignatureCountsBeforeBasic) {
  EXPECT_EQ(Verify({{"Authorization", BasicHeader("user:pass")}, {"X-Conscent-Signature", Sign(kBody, "third")}}),
            "wrong");
  EXPECT_EQ(Verify({{"Authorization", "garbage"}, {"X-Conscent-Signature", Sign(kBody, "first")}}),
            "signature/secrets:1");
}

TEST_F(AuthenticatorTest, AbsentAndIllFormedShowInTheHead) {
  const std::string right = Sign(kBody, "first");
  std::string upper = right;
  for (char& c : upper) c = static_cast<char>(toupper(c));
  EXPECT_EQ(Claim({}), AuthenticationResult::kAbsent);
  for (const std::string& signature :
       {std::string(), right.substr(1), right + "0", upper, std::string(64, 'g'), "sha256=" + right}) {
    EXPECT_EQ(Claim({{"X-Conscent-Signature", signature}}), AuthenticationResult::kIllFormed) << signature;
  }
  EXPECT_EQ(Claim({{"X-Conscent-Signature", right}, {"X-Conscent-Signature", right}}),
            AuthenticationResult::kIllFormed);
  const std::string basic = BasicHeader("user:pass");
  EXPECT_EQ(Claim({{"Authorization", basic}, {"Authorization", basic}}), AuthenticationResult::kIllFormed);
  EXPECT_EQ(Claim({{"X-Conscent-Signature", "x"}, {"Authorization", basic}}), AuthenticationResult::kIllFormed);
  for (const char* value : {"Bearer x", "Basic", "Basic !!!!", "Basic dXNlcg==", ""}) {
    EXPECT_EQ(Claim({{"Authorization", value}}), AuthenticationResult::kIllFormed) << value;
  }
}

TEST_F(AuthenticatorTest, ThreadsKeepContextsOfTheirOwnAcrossRotation) {
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  const auto old_credentials = store_.Snapshot();
  ASSERT_TRUE(store_.Update("/x/secrets", "third").ok());
  const auto new_credentials = store_.Snapshot();
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        const std::string body = std::to_string(i);
        const auto& credentials = i % 2 == 0 ? *old_credentials : *new_credentials;
        const auto claim =
            ReadAuthenticationClaim(Head({{"X-Conscent-Signature", Sign(body, i % 2 == 0 ? "second" : "third")}}));
        if (VerifyAuthenticationClaim(claim, body, credentials).result == AuthenticationResult::kAuthentic) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 2000);
}

}  // namespace
}  // namespace refund_relay
