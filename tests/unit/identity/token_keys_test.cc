// The keys in force, and what is known of those that are missing.
#include "server/identity/token_keys.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/testing/token_issuer.h"

namespace refund_relay {
namespace {

class TokenKeysTest : public testing::Test {
 protected:
  void Fetch() {
    keys_.FetchBegins();
    EXPECT_TRUE(keys_.Update(KeySet({key_.Jwk("key-1")})).ok());
    keys_.FetchSucceeded();
  }

  const SigningKey key_ = SigningKey::Curve("P-256");
  int asked_ = 0;
  TokenKeys keys_;
};

TEST_F(TokenKeysTest, AreReplacedAsAWholeAndOnlyByGoodOnes) {
  EXPECT_TRUE(keys_.Current().keys->empty());
  EXPECT_TRUE(keys_.Update(KeySet({key_.Jwk("key-1")})).value());
  EXPECT_FALSE(keys_.Update(KeySet({key_.Jwk("key-1")})).value()) << "the same again";
  EXPECT_EQ(keys_.Current().version, 1u);
  EXPECT_FALSE(keys_.Update("{}").ok());
  EXPECT_FALSE(keys_.Update(R"({"keys":[]})").ok());
  EXPECT_EQ(keys_.Current().version, 1u);
  EXPECT_EQ(keys_.Current().keys->count("key-1"), 1u);
  EXPECT_TRUE(keys_.Update(KeySet({key_.Jwk("key-2")})).value());
  EXPECT_EQ(keys_.Current().version, 2u);
  EXPECT_EQ(keys_.Current().keys->count("key-1"), 0u);
}

TEST_F(TokenKeysTest, OfAFileAMissingOneIsMissingForGood) { EXPECT_FALSE(keys_.MayCome("key-2")); }

TEST_F(TokenKeysTest, AMissingOneMayComeUntilAFetchThatBeganLaterHasNotBroughtIt) {
  keys_.AskWith([this] { ++asked_; });
  EXPECT_TRUE(keys_.MayCome("key-2"));
  EXPECT_EQ(asked_, 1);
  keys_.FetchBegins();
  EXPECT_TRUE(keys_.MayCome("key-2")) << "no answer yet";
  EXPECT_TRUE(keys_.MayCome("key-3")) << "asked for after the fetch began";
  keys_.FetchSucceeded();
  EXPECT_FALSE(keys_.MayCome("key-2"));
  EXPECT_TRUE(keys_.MayCome("key-3"));
  Fetch();
  EXPECT_FALSE(keys_.MayCome("key-3"));
  EXPECT_EQ(asked_, 6) << "each time: it may be published at any moment";
}

TEST_F(TokenKeysTest, OneThatHasComeSinceTheCallerLookedIsNotMissing) {
  keys_.AskWith([this] { ++asked_; });
  EXPECT_TRUE(keys_.MayCome("key-1"));
  Fetch();
  EXPECT_TRUE(keys_.MayCome("key-1"));
  EXPECT_EQ(asked_, 1);
}

TEST_F(TokenKeysTest, AFetchThatFailedSaysNothing) {
  keys_.AskWith([] {});
  EXPECT_TRUE(keys_.MayCome("key-2"));
  keys_.FetchBegins();
  keys_.FetchBegins();
  EXPECT_TRUE(keys_.MayCome("key-2"));
}

TEST_F(TokenKeysTest, AFloodOfUnknownOnesIsNotKept) {
  keys_.AskWith([] {});
  EXPECT_TRUE(keys_.MayCome("first"));
  Fetch();
  EXPECT_FALSE(keys_.MayCome("first"));
  for (size_t i = 0; i < TokenKeys::kMostMissing; ++i) EXPECT_TRUE(keys_.MayCome(absl::StrCat("bogus-", i)));
  EXPECT_TRUE(keys_.MayCome("first")) << "forgotten";
}

}  // namespace
}  // namespace refund_relay
