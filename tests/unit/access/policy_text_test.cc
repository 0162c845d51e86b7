// A policy in plain words.
#include "server/access/policy_text.h"

#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/access/policy_reader.h"
#include "tests/unit/access/full_policy.h"

namespace refund_relay {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(PolicyTextTest, TellsWhatIsGrantedAndWhatIsNot) {
  const auto policy = ReadAccessPolicy(kFullPolicy);
  ASSERT_TRUE(policy.ok());
  EXPECT_THAT(
      DescribeSubscriber(*policy, policy->subscribers[0]),
      ElementsAre("is known by a client certificate with the name dns:books.internal or "
                  "uri:spiffe://example.org/ns/books/sa/books, or by 1 bearer token, or by a token of the Kubernetes "
                  "service account payments/books",
                  "sees the events refunded.bundle, refunded.pass, refunded.subscription and no others",
                  "does not see personal data: user, client_info, extra_fields and webhook_sha256 are withheld",
                  "subscribes, commits and gets positions under its own name", "may not look events up by refund",
                  "may not commit and get the positions of other names", "may not use AdminService"));
  EXPECT_THAT(DescribeSubscriber(*policy, policy->subscribers[2]),
              ElementsAre("is known by 1 bearer token", "sees every event, also of types that nobody knows yet",
                          "sees personal data: user, client_info, extra_fields, webhook_sha256",
                          "subscribes, commits and gets positions under its own name", "may look events up by refund",
                          "may commit and get the positions of other names",
                          "may use AdminService, and see the bodies of quarantined webhooks, of every event type"));
}

TEST(PolicyTextTest, TellsWhatIsProbablyNotMeant) {
  const auto policy = ReadAccessPolicy(
      R"({"subscribers":{"a":{},"b":{"certificates":["dns:x"]},"c":{"certificates":["dns:y","dns:x"]}}})");
  ASSERT_TRUE(policy.ok());
  const auto of_a = DescribeSubscriber(*policy, policy->subscribers[0]);
  EXPECT_THAT(of_a, Contains(HasSubstr("nobody can be it")));
  EXPECT_THAT(of_a, Contains(HasSubstr("sees no event")));
  EXPECT_THAT(of_a, Not(Contains(HasSubstr("shares"))));
  EXPECT_THAT(DescribeSubscriber(*policy, policy->subscribers[1]), Contains(HasSubstr("shares an identity with c:")));
  const auto accounts =
      ReadAccessPolicy(R"({"subscribers":{"a":{"service_accounts":["x/y"]},"b":{"service_accounts":["x/z","x/y"]}}})");
  ASSERT_TRUE(accounts.ok());
  EXPECT_THAT(DescribeSubscriber(*accounts, accounts->subscribers[0]),
              Contains(HasSubstr("shares an identity with b:")));
}

TEST(PolicyTextTest, HoldsNoHash) {
  const auto policy = ReadAccessPolicy(kFullPolicy);
  ASSERT_TRUE(policy.ok());
  for (const auto& subscriber : policy->subscribers) {
    for (const Sha256Digest& hash : subscriber.token_hashes) {
      EXPECT_THAT(absl::StrJoin(DescribeSubscriber(*policy, subscriber), "\n"), Not(HasSubstr(LowerHex(hash, 4))));
    }
  }
}

}  // namespace
}  // namespace refund_relay
