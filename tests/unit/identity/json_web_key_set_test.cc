// Which key sets are taken, what is left out of them, and which signatures each kind of key makes.
#include "server/identity/json_web_key_set.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/token_issuer.h"

namespace refund_relay {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string Problem(const std::string& json) { return std::string(ReadJsonWebKeySet(json).status().message()); }

TEST(JsonWebKeySetTest, EachKindOfKeyVerifiesItsOwnAlgorithmsOnly) {
  const SigningKey keys[] = {SigningKey::SharedRsa(), SigningKey::Curve("P-256"), SigningKey::Curve("P-384")};
  const std::vector<std::vector<std::string>> algorithms = {{"RS256", "RS384", "RS512", "PS256"}, {"ES256"}, {"ES384"}};
  for (size_t signer = 0; signer < 3; ++signer) {
    for (const std::string& algorithm : algorithms[signer]) {
      const std::string signature = keys[signer].Sign(algorithm, "text");
      for (size_t other = 0; other < 3; ++other) {
        const auto set = ReadJsonWebKeySet(KeySet({keys[other].Jwk("k")}));
        ASSERT_TRUE(set.ok()) << set.status();
        const TrustedKey& trusted = set->at("k");
        EXPECT_EQ(trusted.Takes(*SignatureAlgorithmOf(algorithm)), signer == other) << algorithm;
        EXPECT_EQ(trusted.key.Verifies(*SignatureAlgorithmOf(algorithm), "text", signature), signer == other);
        EXPECT_FALSE(trusted.key.Verifies(*SignatureAlgorithmOf(algorithm), "texT", signature));
      }
    }
  }
}

TEST(JsonWebKeySetTest, ASignatureOfAnotherLengthOrAlgorithmIsNone) {
  const SigningKey curve = SigningKey::Curve("P-256");
  const JsonWebKey key = ReadJsonWebKeySet(KeySet({curve.Jwk("k")}))->at("k").key;
  const std::string signature = curve.Sign("ES256", "text");
  EXPECT_FALSE(key.Verifies(SignatureAlgorithm::kEs256, "text", signature + signature));
  EXPECT_FALSE(key.Verifies(SignatureAlgorithm::kEs256, "text", signature.substr(1)));
  EXPECT_FALSE(key.Verifies(SignatureAlgorithm::kEs256, "text", ""));
  EXPECT_FALSE(key.Verifies(SignatureAlgorithm::kEs256, "text", std::string(64, '\0')));
  EXPECT_FALSE(key.Verifies(SignatureAlgorithm::kEs256, "text",
                            signature.substr(0, 32) + std::string(1, '\0') + signature.substr(32)))
      << "the same numbers in another text";
  EXPECT_FALSE(key.Verifies(SignatureAlgorithm::kEs384, "text", curve.Sign("ES384", "text"))) << "P-256 with SHA-384";
  const JsonWebKey rsa = ReadJsonWebKeySet(KeySet({SigningKey::SharedRsa().Jwk("k")}))->at("k").key;
  EXPECT_FALSE(rsa.Verifies(SignatureAlgorithm::kRs256, "text", SigningKey::SharedRsa().Sign("PS256", "text")));
  EXPECT_FALSE(rsa.Verifies(SignatureAlgorithm::kRs256, "text", SigningKey::SharedRsa().Sign("RS384", "text")));
  EXPECT_FALSE(rsa.Verifies(SignatureAlgorithm::kEs256, "text", SigningKey::SharedRsa().Sign("RS256", "text")));
}

TEST(JsonWebKeySetTest, NoOtherAlgorithmExists) {
  for (const char* name :
       {"none", "None", "", "HS256", "HS384", "HS512", "rs256", "RS256 ", "ES512", "EdDSA", "ES256K"}) {
    EXPECT_FALSE(SignatureAlgorithmOf(name).has_value()) << name;
  }
}

TEST(JsonWebKeySetTest, AKeyMayBeForOneAlgorithmOnly) {
  const auto set = ReadJsonWebKeySet(KeySet({SigningKey::SharedRsa().Jwk("k", R"(,"alg":"RS256","use":"sig")")}));
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_TRUE(set->at("k").Takes(SignatureAlgorithm::kRs256));
  EXPECT_FALSE(set->at("k").Takes(SignatureAlgorithm::kRs512));
  EXPECT_FALSE(set->at("k").Takes(SignatureAlgorithm::kPs256));
}

TEST(JsonWebKeySetTest, LeavesOutWhatIsNotForUs) {
  const SigningKey key = SigningKey::Curve("P-256");
  for (const std::string& other :
       {key.Jwk("x", R"(,"use":"enc")"), key.Jwk("x", R"(,"alg":"ES384")"), key.Jwk("x", R"(,"alg":"HS256")"),
        key.Jwk("x", R"(,"key_ops":["encrypt"])"), key.Jwk("x", R"(,"alg":7)"), key.Jwk(""),
        absl::StrCat("{", key.Members(), "}"), SigningKey::Curve("P-521").Jwk("x"),
        std::string(R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"x"})")}) {
    const auto set = ReadJsonWebKeySet(KeySet({other, key.Jwk("k", R"(,"key_ops":["verify"],"x5t":"unknown")")}));
    ASSERT_TRUE(set.ok()) << other << set.status();
    EXPECT_EQ(set->size(), 1u) << other;
    EXPECT_EQ(set->count("k"), 1u) << other;
    EXPECT_THAT(Problem(KeySet({other})), HasSubstr("holds no key that can be used")) << other;
  }
}

TEST(JsonWebKeySetTest, RefusesTheWholeIfOneKeyIsWrong) {
  const SigningKey key = SigningKey::Curve("P-256");
  const std::string good = key.Jwk("k");
  const std::string rsa = SigningKey::SharedRsa().Jwk("r");
  const std::string exponent = R"("e":"AQAB")";
  ASSERT_THAT(rsa, HasSubstr(exponent));
  const auto with_exponent = [&](const std::string& text) {
    return absl::StrReplaceAll(rsa, {{exponent, absl::StrCat(R"("e":")", text, "\"")}});
  };
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "is not JSON"},
      {"[]", "is no set of JSON Web Keys"},
      {"{}", "is no set of JSON Web Keys"},
      {R"({"keys":{}})", "is no set of JSON Web Keys"},
      {R"({"keys":[],"keys":[]})", "is not JSON"},
      {KeySet({}), "/keys: holds no key"},
      {KeySet({good, "7"}), "/keys/1: must be an object"},
      {KeySet({good, R"({"kid":"x"})"}), "/keys/1: must have `kty`"},
      {KeySet({good, good}), "/keys/1: has the `kid` of another key"},
      {KeySet({good, SigningKey::Rsa(1024).Jwk("x")}), "/keys/1: is an RSA key of 1024 bits"},
      {KeySet({with_exponent("AQ")}), "/keys/0: is an RSA key with an exponent"},
      {KeySet({with_exponent("Aw")}), "/keys/0: is an RSA key with an exponent"},
      {KeySet({with_exponent("AQAA")}), "/keys/0: is an RSA key with an exponent"},
      {KeySet({with_exponent("AQAAAAAAAAAB")}), "/keys/0: is an RSA key with an exponent"},
      {KeySet({with_exponent("AQAB=")}), "/keys/0: must have `e` in base64url"},
      {KeySet({R"({"kty":"RSA","kid":"x","e":"AQAB"})"}), "/keys/0: must have `n`"},
      {KeySet({absl::StrReplaceAll(good, {{R"("x":")", R"("x":"A)"}})}), "/keys/0: "},
      {KeySet({absl::StrReplaceAll(good, {{"P-256", "P-384"}})}), "/keys/0: is no point of its curve"},
      {KeySet({absl::StrCat(R"({"kty":"EC","crv":"P-256","kid":"x","x":")", Base64Url(std::string(32, '\x01')),
                            R"(","y":")", Base64Url(std::string(32, '\x01')), "\"}")}),
       "/keys/0: is no point of its curve"},
      {KeySet({key.Jwk("k", R"(,"d":"c2VjcmV0LWtleQ")")}), "/keys/0: holds a private or shared key"},
      {KeySet({good, R"({"kty":"oct","kid":"x","k":"c2VjcmV0LWtleQ"})"}), "/keys/1: holds a private or shared key"},
  };
  for (const auto& [json, expected] : cases) {
    EXPECT_THAT(Problem(json), HasSubstr(expected)) << json;
    EXPECT_THAT(Problem(json), Not(HasSubstr("c2VjcmV0"))) << json;
  }
  std::string many = good;
  for (size_t i = 0; i < kMostJsonWebKeys; ++i) absl::StrAppend(&many, ",", good);
  EXPECT_THAT(Problem(KeySet({many})), HasSubstr("more than 64 keys"));
}

TEST(JsonWebKeySetTest, AFingerprintNamesTheKeyAndNotItsId) {
  const SigningKey key = SigningKey::Curve("P-256");
  const auto set = ReadJsonWebKeySet(
      KeySet({key.Jwk("a"), key.Jwk("b"), SigningKey::Curve("P-256").Jwk("c"), SigningKey::SharedRsa().Jwk("d")}));
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->at("a").key.fingerprint(), set->at("b").key.fingerprint());
  EXPECT_NE(set->at("a").key.fingerprint(), set->at("c").key.fingerprint());
  EXPECT_NE(set->at("a").key.fingerprint(), set->at("d").key.fingerprint());
}

}  // namespace
}  // namespace refund_relay
