// What a token says, and which claims are right: each wrong by one, times at the edges of the clock skew.
#include "server/identity/service_account_token.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/access/bearer_token.h"
#include "tests/testing/token_issuer.h"

namespace refund_relay {
namespace {

using testing::ElementsAre;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);
const TokenRules kRules = {"https://issuer.example", "refund-relay", absl::Minutes(1)};

// Nothing here looks at the signature.
std::string Unsigned(const std::string& header, const std::string& claims) {
  return absl::StrCat(Base64Url(header), ".", Base64Url(claims), ".", Base64Url("signature"));
}

const std::string kHeader = R"({"alg":"RS256","kid":"key-1"})";

std::string Changed(const std::string& from, const std::string& to) {
  const std::string claims = KubernetesClaims(kNow);
  EXPECT_NE(claims.find(from), std::string::npos) << from;
  return absl::StrReplaceAll(claims, {{from, to}});
}

TokenFault FaultOf(const std::string& token, absl::Time now = kNow) {
  ServiceAccountToken read;
  const TokenFault fault = ReadServiceAccountToken(token, &read);
  return fault == TokenFault::kNone ? CheckClaims(read, kRules, now) : fault;
}

TokenFault FaultOfClaims(const std::string& claims, absl::Time now = kNow) {
  return FaultOf(Unsigned(kHeader, claims), now);
}

TEST(ServiceAccountTokenTest, ReadsWhatKubernetesMakes) {
  const std::string token = Unsigned(kHeader, KubernetesClaims(kNow));
  ServiceAccountToken read;
  ASSERT_EQ(ReadServiceAccountToken(token, &read), TokenFault::kNone);
  EXPECT_EQ(read.algorithm, SignatureAlgorithm::kRs256);
  EXPECT_EQ(read.key_id, "key-1");
  EXPECT_EQ(read.issuer, "https://issuer.example");
  EXPECT_THAT(read.audiences, ElementsAre("refund-relay"));
  EXPECT_EQ(read.account, "payments/books");
  EXPECT_EQ(read.expires, kNow + absl::Hours(1));
  EXPECT_EQ(read.signed_text, token.substr(0, token.rfind('.')));
  EXPECT_EQ(read.signature, "signature");
  EXPECT_EQ(CheckClaims(read, kRules, kNow), TokenFault::kNone);
}

TEST(ServiceAccountTokenTest, TakesOtherWaysToSayTheSame) {
  for (const std::string& claims :
       {Changed(R"(["refund-relay"])", R"("refund-relay")"), Changed(R"(["refund-relay"])", R"(["x","refund-relay"])"),
        Changed(R"("jti":"an-id",)", "")}) {
    EXPECT_EQ(FaultOfClaims(claims), TokenFault::kNone) << claims;
  }
  const std::string claims = KubernetesClaims(kNow);
  // Older clusters have no such claim.
  const size_t begin = claims.find(R"("kubernetes.io")");
  EXPECT_EQ(FaultOfClaims(claims.substr(0, begin) + claims.substr(claims.find(R"("nbf")"))), TokenFault::kNone);
  EXPECT_EQ(FaultOf(Unsigned(R"({"typ":"JWT","alg":"RS256","kid":"key-1","x5t":"print"})", claims)), TokenFault::kNone);
}

TEST(ServiceAccountTokenTest, EachClaimWrongByOneIsFound) {
  const std::string now = absl::StrCat(absl::ToUnixSeconds(kNow));
  const std::vector<std::pair<std::string, TokenFault>> cases = {
      {Changed("https://issuer.example", "https://issuer.example/"), TokenFault::kIssuer},
      {Changed("https://issuer.example", "https://Issuer.example"), TokenFault::kIssuer},
      {Changed(R"("iss":"https://issuer.example",)", ""), TokenFault::kIssuer},
      {Changed(R"("https://issuer.example")", R"(["https://issuer.example"])"), TokenFault::kIssuer},
      {Changed(R"(["refund-relay"])", R"(["refund-relay2"])"), TokenFault::kAudience},
      {Changed(R"(["refund-relay"])", R"(["refund-rela","Refund-Relay",""])"), TokenFault::kAudience},
      {Changed(R"(["refund-relay"])", "[]"), TokenFault::kAudience},
      {Changed(R"("aud":["refund-relay"],)", ""), TokenFault::kAudience},
      {Changed(R"(["refund-relay"])", R"(["refund-relay",7])"), TokenFault::kIllFormed},
      {Changed(R"(["refund-relay"])", R"({"refund-relay":true})"), TokenFault::kIllFormed},
      {Changed("system:serviceaccount:payments:books", "system:serviceaccount:payments:ledger"), TokenFault::kSubject},
      {Changed("system:serviceaccount:payments:books", "system:serviceaccount:default:books"), TokenFault::kSubject},
      {Changed(R"("serviceaccount":{"name":"books")", R"("serviceaccount":{"name":"ledger")"), TokenFault::kSubject},
      {Changed(R"("namespace":"payments")", R"("namespace":"default")"), TokenFault::kSubject},
      {Changed(R"("serviceaccount":{"name":"books","uid":"u3"})", R"("other":1)"), TokenFault::kSubject},
      {Changed(R"(,"sub":"system:serviceaccount:payments:books")", ""), TokenFault::kSubject},
      {Changed(absl::StrCat("\"exp\":", absl::ToUnixSeconds(kNow) + 3600, ","), ""), TokenFault::kNoExpiry},
      {Changed(absl::StrCat("\"exp\":", absl::ToUnixSeconds(kNow) + 3600), R"("exp":"1700003600")"),
       TokenFault::kIllFormed},
      {Changed(absl::StrCat("\"exp\":", absl::ToUnixSeconds(kNow) + 3600), R"("exp":1.7e9)"), TokenFault::kIllFormed},
      {Changed(absl::StrCat("\"exp\":", absl::ToUnixSeconds(kNow) + 3600), R"("exp":-1)"), TokenFault::kIllFormed},
      {Changed(absl::StrCat("\"exp\":", absl::ToUnixSeconds(kNow) + 3600), R"("exp":1700003600000)"),
       TokenFault::kIllFormed},
      {Changed("\"nbf\":" + now, R"("nbf":null)"), TokenFault::kIllFormed},
      {Changed("\"iat\":" + now, R"("iat":true)"), TokenFault::kIllFormed},
      {Changed(R"("jti":"an-id")", R"("sub":"system:serviceaccount:payments:ledger")"), TokenFault::kIllFormed},
      {Changed(R"("jti":"an-id")", R"("\u0069ss":"https://issuer.example")"), TokenFault::kIllFormed},
      {KubernetesClaims(kNow) + " {}", TokenFault::kIllFormed},
      {"[]", TokenFault::kIllFormed},
      {"", TokenFault::kIllFormed},
  };
  for (const auto& [claims, fault] : cases) EXPECT_EQ(FaultOfClaims(claims), fault) << claims;
  // Without the claim of Kubernetes the subject stands alone.
  for (const char* subject :
       {"system:serviceaccount:payments", "system:serviceaccount:payments:books:x", "system:serviceaccount::books",
        "system:serviceaccount:payments:", "system:node:books", "payments/books", "", "system:serviceaccount:a/b:c",
        "system:serviceaccount:a:b/c", "System:serviceaccount:payments:books"}) {
    EXPECT_EQ(FaultOfClaims(absl::StrCat(
                  R"({"aud":"refund-relay","iss":"https://issuer.example","exp":1700003600,"sub":")", subject, "\"}")),
              TokenFault::kSubject)
        << subject;
  }
}

TEST(ServiceAccountTokenTest, TimesAreTakenToTheEdgeOfTheSkewAndNotBeyond) {
  const std::string claims = KubernetesClaims(kNow);
  const absl::Time expiry = kNow + absl::Hours(1);
  EXPECT_EQ(FaultOfClaims(claims, expiry + absl::Seconds(60) - absl::Milliseconds(1)), TokenFault::kNone);
  EXPECT_EQ(FaultOfClaims(claims, expiry + absl::Seconds(60)), TokenFault::kExpired);
  EXPECT_EQ(FaultOfClaims(claims, kNow - absl::Seconds(60)), TokenFault::kNone);
  EXPECT_EQ(FaultOfClaims(claims, kNow - absl::Seconds(60) - absl::Milliseconds(1)), TokenFault::kTooEarly);
  const std::string now = absl::StrCat(absl::ToUnixSeconds(kNow));
  const std::string later = absl::StrCat(absl::ToUnixSeconds(kNow) + 61);
  EXPECT_EQ(FaultOfClaims(Changed("\"nbf\":" + now, "\"nbf\":" + later)), TokenFault::kTooEarly);
  EXPECT_EQ(FaultOfClaims(Changed("\"iat\":" + now, "\"iat\":" + later)), TokenFault::kTooEarly);
}

TEST(ServiceAccountTokenTest, TheHeaderMustNameAnAcceptedAlgorithmAndAKeyAndNothingDangerous) {
  const std::string claims = KubernetesClaims(kNow);
  const std::vector<std::pair<std::string, TokenFault>> cases = {
      {R"({"alg":"none","kid":"key-1"})", TokenFault::kAlgorithm},
      {R"({"alg":"None","kid":"key-1"})", TokenFault::kAlgorithm},
      {R"({"alg":"HS256","kid":"key-1"})", TokenFault::kAlgorithm},
      {R"({"alg":"rs256","kid":"key-1"})", TokenFault::kAlgorithm},
      {R"({"alg":["RS256"],"kid":"key-1"})", TokenFault::kAlgorithm},
      {R"({"kid":"key-1"})", TokenFault::kAlgorithm},
      {R"({"alg":"RS256"})", TokenFault::kIllFormed},
      {R"({"alg":"RS256","kid":""})", TokenFault::kIllFormed},
      {R"({"alg":"RS256","kid":7})", TokenFault::kIllFormed},
      {absl::StrCat(R"({"alg":"RS256","kid":")", std::string(257, 'k'), "\"}"), TokenFault::kIllFormed},
      {R"({"alg":"none","alg":"RS256","kid":"key-1"})", TokenFault::kIllFormed},
      {R"({"alg":"RS256","alg":"none","kid":"key-1"})", TokenFault::kIllFormed},
      {R"({"alg":"RS256","kid":"key-1","typ":"at+jwt"})", TokenFault::kHeader},
      {R"({"alg":"RS256","kid":"key-1","crit":["exp"]})", TokenFault::kHeader},
      {R"({"alg":"RS256","kid":"key-1","jwk":{}})", TokenFault::kHeader},
      {R"({"alg":"RS256","kid":"key-1","jku":"https://evil.example"})", TokenFault::kHeader},
      {R"({"alg":"RS256","kid":"key-1","x5u":"https://evil.example"})", TokenFault::kHeader},
      {R"({"alg":"RS256","kid":"key-1","x5c":[]})", TokenFault::kHeader},
      {R"({"alg":"RS256","kid":"key-1","b64":false})", TokenFault::kHeader},
      {R"({"alg":"RS256","kid":"key-1","zip":"DEF"})", TokenFault::kHeader},
      {R"([])", TokenFault::kIllFormed},
  };
  for (const auto& [header, fault] : cases) EXPECT_EQ(FaultOf(Unsigned(header, claims)), fault) << header;
}

TEST(ServiceAccountTokenTest, TheFormIsExact) {
  const std::string token = Unsigned(kHeader, KubernetesClaims(kNow));
  ASSERT_EQ(FaultOf(token), TokenFault::kNone);
  const size_t second = token.rfind('.');
  for (const std::string& wrong : {std::string(), std::string("."), std::string(".."), token.substr(0, second),
                                   token.substr(0, second + 1), token + ".x", token + ".", token + "=", " " + token,
                                   token.substr(0, second) + "=" + token.substr(second), "." + token.substr(second)}) {
    EXPECT_EQ(FaultOf(wrong), TokenFault::kIllFormed) << wrong;
  }
  const std::string padding(kLongestTokenBytes, 'A');
  EXPECT_EQ(FaultOf(padding + "." + padding), TokenFault::kTooLong);
  const size_t room = kLongestTokenBytes - token.size();
  EXPECT_EQ(FaultOf(token + padding.substr(0, room + 1)), TokenFault::kTooLong);
}

TEST(ServiceAccountTokenTest, EveryFaultHasWords) {
  for (int fault = static_cast<int>(TokenFault::kTooLong); fault <= static_cast<int>(TokenFault::kSignature); ++fault) {
    EXPECT_FALSE(TextOf(static_cast<TokenFault>(fault)).empty()) << fault;
  }
}

}  // namespace
}  // namespace refund_relay
