// What a policy file says, and what is told of one that is wrong.
#include "server/access/policy_reader.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/access/full_policy.h"

namespace refund_relay {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST(PolicyReaderTest, ReadsEveryMember) {
  const auto policy = ReadAccessPolicy(kFullPolicy);
  ASSERT_TRUE(policy.ok()) << policy.status();
  ASSERT_EQ(policy->subscribers.size(), 3u);
  const SubscriberPolicy& books = policy->subscribers[0];
  EXPECT_EQ(books.name, "books");
  EXPECT_THAT(books.certificates, ElementsAre("dns:books.internal", "uri:spiffe://example.org/ns/books/sa/books"));
  EXPECT_THAT(books.token_hashes, ElementsAre(Sha256({"token-of-the-books-1234567"})));
  EXPECT_THAT(books.service_accounts, ElementsAre("payments/books"));
  EXPECT_EQ(books.events, (EventRights{false, {"refunded.bundle", "refunded.pass", "refunded.subscription"}, false}));
  EXPECT_FALSE(books.administer || books.commit_for_others || books.look_up_by_refund);
  SubscriberPolicy gone;
  gone.name = "gone";
  EXPECT_EQ(policy->subscribers[1], gone) << "nothing is granted by default";
  const SubscriberPolicy& support = policy->subscribers[2];
  EXPECT_THAT(support.certificates, IsEmpty());
  EXPECT_THAT(support.token_hashes, ElementsAre(Sha256({"token-of-support-123456789"})));
  EXPECT_EQ(support.events, (EventRights{true, {}, true}));
  EXPECT_TRUE(support.administer && support.commit_for_others && support.look_up_by_refund);
}

TEST(PolicyReaderTest, WhatIsNotJsonIsToldByItsByte) {
  for (const auto& [json, expected] : std::initializer_list<std::pair<std::string, const char*>>{
           {"", "byte 0"},
           {"{", "byte 1"},
           {"{\"subscribers\":{}} x", "nothing but white space may follow"},
           {"{\"subscribers\":{},\"subscribers\":{}}", "byte 18: a name that the object does not have yet"},
           {"{\"subscribers\":{\"a\":{\"administer\":false,\"administer\":true}}}",
            "byte 40: a name that the object does not have yet"},
           {"\xef\xbb\xbf{\"subscribers\":{}}", "byte 0"},
           {std::string(2 << 20, ' '), "larger than 1 MiB"}}) {
    const auto policy = ReadAccessPolicy(json);
    EXPECT_TRUE(absl::IsInvalidArgument(policy.status())) << json.substr(0, 80);
    EXPECT_THAT(std::string(policy.status().message()), HasSubstr(expected));
  }
}

TEST(PolicyReaderTest, EveryWrongPlaceIsNamedAndNoValueRepeated) {
  const auto policy = ReadAccessPolicy(R"({"subscribers":{"books":{"token_hashes":["sha256:SECRET1"],
      "events":{"types":["pass","SECRET2"]},"personal_dta":true},"Not a name":{"administer":"SECRET3"}}})");
  EXPECT_THAT(std::string(policy.status().message()),
              AllOf(HasSubstr("/subscribers/books/token_hashes/0: must be `sha256:`"),
                    HasSubstr("/subscribers/books/events/types/1: must be one of pay_per_use, subscription, pass"),
                    HasSubstr("/subscribers/books/personal_dta: there is no such member; known are description,"),
                    HasSubstr("/subscribers/Not a name: a subscriber's name has 1 to 63"),
                    HasSubstr("/subscribers/Not a name/administer: must be true or false"), Not(HasSubstr("SECRET"))));
}

TEST(PolicyReaderTest, EachShapeThatIsNotInTheFormIsRefused) {
  std::string many;
  for (int i = 0; i < 65; ++i) absl::StrAppend(&many, i > 0 ? "," : "", "\"refunded.n", i, "\"");
  const std::pair<std::string, std::string> cases[] = {
      {"{}", "the whole: must have the member `subscribers`"},
      {R"({"subscribers":{},"subscriber":{}})", "/subscriber: there is no such member"},
      {R"({"subscribers":{"b":{"events":{}}}})", "/subscribers/b/events: must be \"all\", or an object"},
      {R"({"subscribers":{"b":{"events":"some"}}})", "/subscribers/b/events: must be \"all\", or an object"},
      {R"({"subscribers":{"b":{"events":{"type":["pass"]}}}})", "/subscribers/b/events/type: there is no such member"},
      {R"({"subscribers":{"b":{"events":{"types":[]}}}})", "/subscribers/b/events/types: must be a list of 1 to 64"},
      {absl::StrCat(R"({"subscribers":{"b":{"events":{"names":[)", many, "]}}}}"), "must be a list of 1 to 64 strings"},
      {R"({"subscribers":{"b":{"events":{"names":["paid.pass"]}}}})", "/names/0: must be an event name: `refunded.`"},
      {R"({"subscribers":{"b":{"certificates":["dns:*.a.org"]}}})", "/certificates/0: must be `dns:` and a lower-case"},
      {R"({"subscribers":{"b":{"certificates":["dns:a","dns:a"]}}})", "/certificates/1: stands in the list twice"}};
  for (const auto& [json, expected] : cases) {
    const auto policy = ReadAccessPolicy(json);
    EXPECT_TRUE(absl::IsInvalidArgument(policy.status())) << json.substr(0, 80);
    EXPECT_THAT(std::string(policy.status().message()), HasSubstr(expected));
  }
}

TEST(PolicyReaderTest, AtMostTwentyWrongPlacesAreNamed) {
  std::string members;
  for (int i = 0; i < 30; ++i) absl::StrAppend(&members, i > 0 ? "," : "", "\"n", i, "\":1");
  const auto policy = ReadAccessPolicy(absl::StrCat("{\"subscribers\":{", members, "}}"));
  EXPECT_THAT(std::string(policy.status().message()),
              AllOf(HasSubstr("/subscribers/n19:"), HasSubstr("and 10 more"), Not(HasSubstr("/n20"))));
}

}  // namespace
}  // namespace refund_relay
