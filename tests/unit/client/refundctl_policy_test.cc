// refundctl policy: checks a file and hashes tokens, and asks no server.
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temp_dir.h"
#include "tests/unit/client/refundctl_fixture.h"

namespace refund_relay {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class RefundctlPolicyTest : public RefundctlTest {
 protected:
  std::string File(const std::string& name, const std::string& text) {
    std::ofstream(dir_.path() + "/" + name) << text;
    return dir_.path() + "/" + name;
  }

  TempDir dir_;
};

TEST_F(RefundctlPolicyTest, CheckExplainsEachNameOrOne) {
  const std::string file = File(
      "policy.json", R"({"subscribers":{"books":{"certificates":["dns:b"],"events":{"types":["pass"]}},"all":{}}})");
  EXPECT_EQ(Run({"policy", "check", file}), 0);
  EXPECT_THAT(out_, AllOf(StartsWith("all\n  nobody can be it"), HasSubstr("\nbooks\n  is known by"),
                          HasSubstr("  sees the events refunded.pass and no others\n")));
  EXPECT_EQ(Run({"policy", "check", file, "--subscriber=books"}), 0);
  EXPECT_THAT(out_, StartsWith("books\n"));
  EXPECT_EQ(Run({"policy", "check", file, "--subscriber=books", "--output=json"}), 0);
  EXPECT_THAT(out_, AllOf(StartsWith("{"), HasSubstr(R"("subscriber_name":"books")"),
                          HasSubstr(R"("sees the events refunded.pass and no others")")));
}

TEST_F(RefundctlPolicyTest, CheckSaysWhatIsWrong) {
  EXPECT_EQ(Run({"policy", "check", File("bad.json", R"({"subscribers":{"books":{"events":"al"}}})")}), 1);
  EXPECT_THAT(err_, AllOf(HasSubstr("bad.json: /subscribers/books/events: must be \"all\"")));
  EXPECT_THAT(out_, IsEmpty());
  EXPECT_EQ(Run({"policy", "check", File("good.json", R"({"subscribers":{"a":{}}})"), "--subscriber=b"}), 1);
  EXPECT_THAT(err_, HasSubstr("has no subscriber b; it has a"));
  EXPECT_EQ(Run({"policy", "check", dir_.path() + "/absent"}), 4);
  EXPECT_THAT(err_, HasSubstr("cannot be read"));
  EXPECT_EQ(Run({"policy", "check"}), 2);
}

TEST_F(RefundctlPolicyTest, HashTokenPrintsTheHashOfTheFirstLineAndNeverTheToken) {
  EXPECT_EQ(Run({"policy", "hash-token", "--token_file=" + File("token", "token-of-the-books-1234567\n")}), 0);
  EXPECT_EQ(out_, "sha256:7b1ea639ff9f0df0165e33185d6705646e3b92fb37632879ef202a70bfb5c4fa\n");
  EXPECT_EQ(Run({"policy", "hash-token", "--token_file=" + File("short", "hunter2\n")}), 1);
  EXPECT_THAT(err_, AllOf(HasSubstr("7 characters"), Not(HasSubstr("hunter2"))));
  EXPECT_EQ(Run({"policy", "hash-token"}), 4) << "stdin is empty";
  EXPECT_EQ(Run({"policy", "hash-token", "token-of-the-books-1234567"}), 2) << "a token is no argument";
}

}  // namespace
}  // namespace refund_relay
