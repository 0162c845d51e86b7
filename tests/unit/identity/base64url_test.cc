// Base64url: one text for each value.
#include "server/identity/base64url.h"

#include "gtest/gtest.h"

namespace refund_relay {
namespace {

TEST(Base64UrlTest, DecodesBothAlphabetsSpecialCharacters) {
  EXPECT_EQ(DecodeBase64Url("").value(), "");
  EXPECT_EQ(DecodeBase64Url("_-8").value(), "\xff\xef");
  EXPECT_EQ(DecodeBase64Url("YWJj").value(), "abc");
}

TEST(Base64UrlTest, RefusesEveryOtherTextForTheSameBytes) {
  for (const char* text : {"YWI=", "YW Jj", "YWJj\n", "/+8", "YW.I", "Y", "YWJ", "YWK", "YW==", "YWJjY"}) {
    EXPECT_FALSE(DecodeBase64Url(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace refund_relay
