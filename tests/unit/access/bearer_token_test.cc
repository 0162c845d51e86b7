// Bearer tokens and the text of their hashes.
#include "server/access/bearer_token.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace refund_relay {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::Optional;

TEST(BearerTokenTest, IsTakenFromTheSchemeInAnyCase) {
  EXPECT_THAT(TokenOf("Bearer abc.DEF-1_2~3+4/5=="), Optional(std::string_view("abc.DEF-1_2~3+4/5==")));
  EXPECT_THAT(TokenOf("bearer  abc"), Optional(std::string_view("abc")));
  for (const char* bad : {"", "Bearer", "Bearer ", "Bearer  ", "abc", "Basic abc", "Bearer a b",
                          "Bearer =", "Bearer a=b", "Bearer a,b", "Bearer abc ", "Bearerabc", "Bearer \xc3\xa4"}) {
    EXPECT_EQ(TokenOf(bad), std::nullopt) << bad;
  }
}

TEST(BearerTokenTest, ShortOnesAreRefusedWithoutBeingRepeated) {
  EXPECT_TRUE(CheckToken(std::string(kShortestTokenBytes, 'a')).ok());
  const absl::Status is_short = CheckToken("hunter2");
  EXPECT_THAT(std::string(is_short.message()), HasSubstr("7 characters"));
  const absl::Status has_space = CheckToken("two words of a pass phrase");
  EXPECT_THAT(std::string(has_space.message()), HasSubstr("openssl rand"));
  EXPECT_THAT(is_short.ToString() + has_space.ToString(),
              Not(testing::AnyOf(HasSubstr("hunter"), HasSubstr("phrase"))));
}

TEST(BearerTokenTest, AHashIsSha256InLowerCaseHex) {
  // printf abc | sha256sum
  const std::string text = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  EXPECT_EQ(TokenHashText(Sha256({"abc"})), text);
  EXPECT_THAT(ParseTokenHash(text), Optional(Sha256({"abc"})));
  for (const std::string& bad : {text.substr(7), "sha512:" + text.substr(7), text.substr(0, 70), text + "0",
                                 text.substr(0, 70) + "D", text.substr(0, 70) + "g", std::string()}) {
    EXPECT_EQ(ParseTokenHash(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace refund_relay
