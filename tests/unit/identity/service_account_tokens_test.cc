// Whether tokens are believed: real signatures, and every known way to do without one.
#include "server/identity/service_account_tokens.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"
#include "tests/testing/manual_clock.h"
#include "tests/testing/token_issuer.h"

namespace refund_relay {
namespace {

using Verdict = ServiceAccountClaim::Verdict;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

class ServiceAccountTokensTest : public testing::Test {
 protected:
  ServiceAccountTokensTest() { Trust({key_.Jwk("key-1"), curve_.Jwk("key-2")}); }

  void Trust(std::initializer_list<std::string> keys) { ASSERT_TRUE(keys_.Update(KeySet(keys)).ok()); }

  ServiceAccountClaim Verify(const std::string& token) { return tokens_.Verify(token, Sha256({token})); }

  static TokenParts Parts(const std::string& algorithm = "RS256", const std::string& key_id = "key-1") {
    return {algorithm, absl::StrCat(R"({"alg":")", algorithm, R"(","kid":")", key_id, "\"}"), KubernetesClaims(kNow)};
  }

  void ExpectRefused(const std::string& token, TokenFault fault, const std::string& what) {
    const ServiceAccountClaim claim = Verify(token);
    EXPECT_EQ(claim.verdict, Verdict::kRefused) << what;
    EXPECT_EQ(claim.cause, TextOf(fault)) << what;
    EXPECT_EQ(claim.account, "") << what;
  }

  const SigningKey& key_ = SigningKey::SharedRsa();
  const SigningKey curve_ = SigningKey::Curve("P-256");
  ManualClock clock_{kNow};
  TokenKeys keys_;
  ServiceAccountTokens tokens_{{"https://issuer.example", "refund-relay", absl::Minutes(1)}, keys_, clock_};
};

TEST_F(ServiceAccountTokensTest, AGoodTokenIsTheAccountUntilItExpires) {
  for (const char* algorithm : {"RS256", "RS384", "RS512", "PS256"}) {
    const ServiceAccountClaim claim = Verify(MakeToken(key_, Parts(algorithm)));
    EXPECT_EQ(claim.verdict, Verdict::kVerified) << algorithm << ": " << claim.cause;
    EXPECT_EQ(claim.account, "payments/books");
    EXPECT_EQ(claim.expires, kNow + absl::Hours(1) + absl::Minutes(1));
    EXPECT_TRUE(tokens_.Trusts(claim));
  }
  EXPECT_EQ(Verify(MakeToken(curve_, Parts("ES256", "key-2"))).verdict, Verdict::kVerified);
}

TEST_F(ServiceAccountTokensTest, EachFlippedBitOfAPartIsFound) {
  const std::string token = MakeToken(curve_, Parts("ES256", "key-2"));
  const size_t first = token.find('.');
  const size_t second = token.rfind('.');
  const std::string claims = KubernetesClaims(kNow);
  for (size_t at = 0; at < claims.size(); at += 7) {
    std::string other = claims;
    other[at] = static_cast<char>(other[at] ^ 1);
    const std::string changed = absl::StrCat(token.substr(0, first + 1), Base64Url(other), token.substr(second));
    EXPECT_EQ(Verify(changed).verdict, Verdict::kRefused) << other;
  }
  for (size_t at = second + 1; at < token.size() - 1; ++at) {
    std::string changed = token;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    ExpectRefused(changed, TokenFault::kSignature, changed.substr(second));
  }
}

TEST_F(ServiceAccountTokensTest, AnUnsignedOneOrOneSignedWithThePublicKeyIsRefused) {
  ExpectRefused(MakeToken(key_, Parts("HS256")), TokenFault::kAlgorithm, "the public key as secret");
  TokenParts none = Parts("none");
  ExpectRefused(MakeToken(key_, none), TokenFault::kAlgorithm, "none, without a signature");
  none.algorithm = "RS256";
  ExpectRefused(MakeToken(key_, none), TokenFault::kAlgorithm, "none, with a signature");
  TokenParts empty = Parts("RS256");
  empty.algorithm = "none";
  ExpectRefused(MakeToken(key_, empty), TokenFault::kIllFormed, "RS256, without a signature");
  TokenParts lies = Parts("RS256");
  lies.algorithm = "HS256";
  ExpectRefused(MakeToken(key_, lies), TokenFault::kSignature, "HS256 under the name of RS256");
}

TEST_F(ServiceAccountTokensTest, TheKeyMustBeTheOneThatIsNamedAndFit) {
  ExpectRefused(MakeToken(SigningKey::Rsa(), Parts()), TokenFault::kSignature, "another key");
  ExpectRefused(MakeToken(curve_, Parts("ES256", "key-1")), TokenFault::kAlgorithm, "an EC signature, an RSA key");
  ExpectRefused(MakeToken(key_, Parts("RS256", "key-2")), TokenFault::kAlgorithm, "an RSA signature, an EC key");
  ExpectRefused(MakeToken(SigningKey::Curve("P-384"), Parts("ES384", "key-2")), TokenFault::kAlgorithm, "P-384");
  ExpectRefused(MakeToken(key_, Parts("RS256", "key-3")), TokenFault::kKeyUnknown, "no such key");
  Trust({key_.Jwk("key-1", R"(,"alg":"RS512")")});
  ExpectRefused(MakeToken(key_, Parts("RS256")), TokenFault::kAlgorithm, "the key is for another algorithm");
  EXPECT_EQ(Verify(MakeToken(key_, Parts("RS512"))).verdict, Verdict::kVerified);
}

TEST_F(ServiceAccountTokensTest, AKeyThatTheTokenBringsIsNotUsed) {
  const SigningKey own = SigningKey::Curve("P-256");
  TokenParts parts = Parts("ES256", "key-2");
  parts.header = absl::StrCat(R"({"alg":"ES256","kid":"key-2","jwk":)", own.Jwk("key-2"), "}");
  ExpectRefused(MakeToken(own, parts), TokenFault::kHeader, "jwk");
}

TEST_F(ServiceAccountTokensTest, ARememberedTokenStillExpires) {
  const std::string token = MakeToken(key_, Parts());
  EXPECT_EQ(Verify(token).verdict, Verdict::kVerified);
  clock_.Advance(absl::Hours(1) + absl::Minutes(1) - absl::Microseconds(1));
  EXPECT_EQ(Verify(token).verdict, Verdict::kVerified);
  clock_.Advance(absl::Microseconds(1));
  ExpectRefused(token, TokenFault::kExpired, "at its expiry");
}

TEST_F(ServiceAccountTokensTest, ARememberedTokenEndsWithItsKey) {
  const std::string token = MakeToken(key_, Parts());
  const ServiceAccountClaim claim = Verify(token);
  Trust({key_.Jwk("key-1"), curve_.Jwk("key-3")});
  EXPECT_TRUE(tokens_.Trusts(claim));
  EXPECT_EQ(Verify(token).verdict, Verdict::kVerified);
  Trust({curve_.Jwk("key-1")});
  EXPECT_FALSE(tokens_.Trusts(claim));
  ExpectRefused(token, TokenFault::kAlgorithm, "another key of the same id");
  Trust({curve_.Jwk("key-2")});
  ExpectRefused(token, TokenFault::kKeyUnknown, "its key is gone");
}

TEST_F(ServiceAccountTokensTest, OnlySoManyAreRememberedAndAllAreStillAccepted) {
  // What is remembered is found by the hash alone, so other hashes of one token stand for other tokens.
  const std::string token = MakeToken(curve_, Parts("ES256", "key-2"));
  for (size_t i = 0; i < ServiceAccountTokens::kMostRemembered + 10; ++i) {
    ASSERT_EQ(tokens_.Verify(token, Sha256({absl::StrCat(i)})).verdict, Verdict::kVerified);
  }
  EXPECT_EQ(tokens_.Verify("not verified again", Sha256({absl::StrCat(ServiceAccountTokens::kMostRemembered)})).verdict,
            Verdict::kVerified);
  EXPECT_EQ(tokens_.Verify("forgotten", Sha256({"0"})).verdict, Verdict::kRefused);
}

TEST_F(ServiceAccountTokensTest, OnlyATokenThatIsRightButForItsKeyAsksForKeys) {
  int asked = 0;
  keys_.AskWith([&] { ++asked; });
  TokenParts parts = Parts("RS256", "key-9");
  parts.claims = absl::StrReplaceAll(parts.claims, {{"refund-relay", "other"}});
  ExpectRefused(MakeToken(key_, parts), TokenFault::kAudience, "for another audience");
  ExpectRefused(MakeToken(key_, Parts("HS256", "key-9")), TokenFault::kAlgorithm, "a shared secret");
  EXPECT_EQ(asked, 0);
  const ServiceAccountClaim claim = Verify(MakeToken(key_, Parts("RS256", "key-9")));
  EXPECT_EQ(claim.verdict, Verdict::kUndecided);
  EXPECT_EQ(asked, 1);
  keys_.FetchBegins();
  keys_.FetchSucceeded();
  ExpectRefused(MakeToken(key_, Parts("RS256", "key-9")), TokenFault::kKeyUnknown, "the fetch did not bring it");
}

}  // namespace
}  // namespace refund_relay
