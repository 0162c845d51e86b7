// Who a caller is, and what that lets it do.
#include "server/access/caller.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/access/bearer_token.h"

namespace refund_relay {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const absl::Time kNow = absl::FromUnixSeconds(100);

SubscriberPolicy Subscriber(std::string name, const std::vector<std::string>& tokens,
                            std::vector<std::string> certificates) {
  SubscriberPolicy subscriber;
  subscriber.name = std::move(name);
  for (const std::string& token : tokens) subscriber.token_hashes.push_back(Sha256({token}));
  subscriber.certificates = std::move(certificates);
  return subscriber;
}

std::shared_ptr<const AccessPolicy> Policy(std::vector<SubscriberPolicy> subscribers) {
  return std::make_shared<const AccessPolicy>(AccessPolicy{std::move(subscribers)});
}

std::shared_ptr<const AccessPolicy> TwoNames() {
  return Policy({Subscriber("books", {"old", "new"}, {"dns:books.internal"}),
                 Subscriber("ledger", {"other"}, {"uri:spiffe://org/ledger"})});
}

CallerClaim TokenClaim(const std::string& token) {
  const std::string value = absl::StrCat("Bearer ", token);
  return ReadCallerClaim({std::string_view(value)}, {}, kNow);
}

struct IdentityCase {
  const char* what;
  std::vector<std::string_view> authorization;
  CertificateNames certificate;
  CallerResult result;
  const char* name;
};

class IdentityTest : public testing::TestWithParam<IdentityCase> {};

TEST_P(IdentityTest, IsDecidedByTokenOrCertificate) {
  const Caller caller(ReadCallerClaim(GetParam().authorization, GetParam().certificate, kNow), TwoNames());
  EXPECT_EQ(caller.result(), GetParam().result) << GetParam().what;
  EXPECT_EQ(caller.name(), GetParam().name) << GetParam().what;
}

// TLS does not look at the dates of a session that is resumed.
TEST(CallerTest, AnExpiredCertificateSpoilsEverything) {
  const std::vector<std::string_view> token = {"Bearer old"};
  for (const auto& policy : {TwoNames(), std::shared_ptr<const AccessPolicy>()}) {
    for (const auto& authorization : {std::vector<std::string_view>(), token}) {
      const CertificateNames certificate{true, {"books.internal"}, {}, kNow};
      const Caller before(ReadCallerClaim(authorization, certificate, kNow - absl::Nanoseconds(1)), policy);
      EXPECT_EQ(before.result(), CallerResult::kAuthentic);
      EXPECT_EQ(before.expires(), kNow);
      const Caller after(ReadCallerClaim(authorization, certificate, kNow), policy);
      EXPECT_EQ(after.result(), CallerResult::kWrong);
      EXPECT_EQ(after.name(), "");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, IdentityTest,
    testing::Values(
        IdentityCase{"nothing", {}, {}, CallerResult::kAbsent, ""},
        IdentityCase{"the first of two tokens", {"Bearer old"}, {}, CallerResult::kAuthentic, "books"},
        IdentityCase{"the second of two tokens", {"Bearer new"}, {}, CallerResult::kAuthentic, "books"},
        IdentityCase{"a token of another", {"Bearer other"}, {}, CallerResult::kAuthentic, "ledger"},
        IdentityCase{"an unknown token", {"Bearer unknown"}, {}, CallerResult::kWrong, ""},
        IdentityCase{"no bearer token", {"Basic b2xk"}, {}, CallerResult::kIllFormed, ""},
        IdentityCase{"two tokens at once", {"Bearer old", "Bearer old"}, {}, CallerResult::kIllFormed, ""},
        IdentityCase{"a DNS name", {}, {true, {"books.internal"}, {}}, CallerResult::kAuthentic, "books"},
        IdentityCase{"a DNS name in capitals", {}, {true, {"Books.Internal"}, {}}, CallerResult::kAuthentic, "books"},
        IdentityCase{"the second name", {}, {true, {"x", "books.internal"}, {}}, CallerResult::kAuthentic, "books"},
        IdentityCase{"a URI", {}, {true, {}, {"spiffe://org/ledger"}}, CallerResult::kAuthentic, "ledger"},
        IdentityCase{"a URI in capitals", {}, {true, {}, {"spiffe://ORG/ledger"}}, CallerResult::kWrong, ""},
        IdentityCase{"a URI as DNS name", {}, {true, {"spiffe://org/ledger"}, {}}, CallerResult::kWrong, ""},
        IdentityCase{"a DNS name as URI", {}, {true, {}, {"books.internal"}}, CallerResult::kWrong, ""},
        IdentityCase{"a longer name", {}, {true, {"books.internal.evil"}, {}}, CallerResult::kWrong, ""},
        IdentityCase{"a wildcard", {}, {true, {"*.internal"}, {}}, CallerResult::kWrong, ""},
        IdentityCase{"a name that ends early",
                     {},
                     {true, {std::string("books.internal\0.evil", 20)}, {}},
                     CallerResult::kWrong,
                     ""},
        IdentityCase{"a certificate without names", {}, {true, {}, {}}, CallerResult::kWrong, ""},
        IdentityCase{"a wrong token beside a right certificate",
                     {"Bearer unknown"},
                     {true, {"books.internal"}, {}},
                     CallerResult::kWrong,
                     ""},
        IdentityCase{"a token beside another's certificate",
                     {"Bearer other"},
                     {true, {"books.internal"}, {}},
                     CallerResult::kAuthentic,
                     "ledger"}));

// Says the same of every token.
class FixedVerifier final : public ServiceAccountVerifier {
 public:
  explicit FixedVerifier(ServiceAccountClaim claim) : claim_(std::move(claim)) {}
  ServiceAccountClaim Verify(std::string_view token, const Sha256Digest& hash) override {
    ++asked_;
    EXPECT_EQ(hash, Sha256({token}));
    return claim_;
  }
  bool Trusts(const ServiceAccountClaim&) const override { return trusts_; }

  ServiceAccountClaim claim_;
  bool trusts_ = true;
  int asked_ = 0;
};

class ServiceAccountCallerTest : public testing::Test {
 protected:
  ServiceAccountCallerTest() {
    SubscriberPolicy books = Subscriber("books", {"by.its.hash"}, {"dns:books.internal"});
    books.service_accounts = {"payments/other", "payments/books"};
    policy_ = Policy({books, Subscriber("ledger", {"other"}, {})});
    verifier_.claim_.verdict = ServiceAccountClaim::Verdict::kVerified;
    verifier_.claim_.account = "payments/books";
    verifier_.claim_.expires = absl::FromUnixSeconds(1000);
  }

  Caller Identify(const std::string& token, const CertificateNames& certificate = {}) {
    const std::string value = absl::StrCat("Bearer ", token);
    return Caller::Identify({std::string_view(value)}, certificate, policy_, &verifier_, kNow);
  }

  std::shared_ptr<const AccessPolicy> policy_;
  FixedVerifier verifier_{ServiceAccountClaim()};
};

TEST_F(ServiceAccountCallerTest, AVerifiedAccountHasTheNamesThatNameIt) {
  const Caller caller = Identify("a.b.c");
  EXPECT_EQ(caller.result(), CallerResult::kAuthentic);
  EXPECT_EQ(caller.name(), "books");
  EXPECT_EQ(caller.claim().method, CallerMethod::kServiceAccount);
  EXPECT_EQ(caller.expires(), absl::FromUnixSeconds(1000));
  verifier_.claim_.account = "payments/book";
  EXPECT_EQ(Identify("a.b.c").result(), CallerResult::kWrong);
}

TEST_F(ServiceAccountCallerTest, OneThatIsNotVerifiedIsNobodyWhateverElseItSays) {
  verifier_.claim_.verdict = ServiceAccountClaim::Verdict::kRefused;
  EXPECT_EQ(Identify("a.b.c").result(), CallerResult::kWrong);
  EXPECT_EQ(Identify("a.b.c", {true, {"books.internal"}, {}}).result(), CallerResult::kWrong) << "a good certificate";
  verifier_.claim_.verdict = ServiceAccountClaim::Verdict::kUndecided;
  EXPECT_EQ(Identify("a.b.c").result(), CallerResult::kUndecided);
  EXPECT_EQ(Identify("a.b.c").name(), "");
  EXPECT_EQ(Identify("a.b.c").RightsAs("books"), std::nullopt);
}

TEST_F(ServiceAccountCallerTest, OnlyAnUnknownTokenOfThatFormIsVerified) {
  EXPECT_EQ(Identify("by.its.hash").claim().method, CallerMethod::kToken);
  EXPECT_EQ(Identify("by.its.hash").expires(), absl::InfiniteFuture());
  EXPECT_EQ(Identify("unknown").result(), CallerResult::kWrong);
  EXPECT_EQ(Identify("un.known").result(), CallerResult::kWrong);
  EXPECT_EQ(Identify("a.b.c.d").result(), CallerResult::kWrong);
  EXPECT_EQ(Identify("a.b c").result(), CallerResult::kIllFormed);
  EXPECT_EQ(Identify(std::string(kLongestTokenBytes, 'a') + ".b.c").result(), CallerResult::kIllFormed);
  EXPECT_EQ(Caller::Identify({}, {}, policy_, &verifier_, kNow).result(), CallerResult::kAbsent);
  EXPECT_EQ(Caller::Identify({}, {true, {"books.internal"}, {}}, policy_, &verifier_, kNow).name(), "books");
  EXPECT_EQ(verifier_.asked_, 0);
  EXPECT_EQ(Caller::Identify({"Bearer a.b.c"}, {}, policy_, nullptr, kNow).result(), CallerResult::kWrong);
}

TEST_F(ServiceAccountCallerTest, IsLookedUpAgainWithoutItsToken) {
  const Caller caller = Identify("a.b.c");
  EXPECT_EQ(caller.Again(policy_, &verifier_).name(), "books");
  EXPECT_EQ(caller.Again(TwoNames(), &verifier_).result(), CallerResult::kWrong);
  verifier_.trusts_ = false;
  EXPECT_EQ(caller.Again(policy_, &verifier_).result(), CallerResult::kWrong);
  EXPECT_EQ(verifier_.asked_, 1);
}

TEST(CallerTest, ATokenIsNotKept) {
  const CallerClaim claim = TokenClaim("old");
  EXPECT_EQ(claim.token_hash, Sha256({"old"}));
  EXPECT_THAT(claim.certificates, IsEmpty());
}

TEST(CallerTest, WithoutAPolicyEveryoneMayDoEverything) {
  const Caller caller;
  EXPECT_EQ(caller.result(), CallerResult::kAuthentic);
  ASSERT_TRUE(caller.RightsAs("anyone").has_value());
  EXPECT_TRUE(caller.RightsAs("anyone")->all && caller.RightsAs("anyone")->personal_data);
  EXPECT_TRUE(caller.MayAdminister() && caller.MayCommitFor("anyone") && caller.MayLookUpByRefund());
  EXPECT_TRUE(caller.View().SeesAll() && caller.ViewByRefund().SeesAll() && caller.SeesQuarantinedBodies());
  EXPECT_TRUE(caller.View().SeesPersonalData("refunded.pass"));
}

TEST(CallerTest, EverythingIsDeniedByDefault) {
  const Caller caller(TokenClaim("old"), TwoNames());
  EXPECT_EQ(caller.RightsAs("books"), EventRights());
  EXPECT_EQ(caller.RightsAs("ledger"), std::nullopt);
  EXPECT_EQ(caller.RightsAs("absent"), std::nullopt);
  EXPECT_TRUE(caller.MayCommitFor("books"));
  EXPECT_FALSE(caller.MayCommitFor("ledger"));
  EXPECT_FALSE(caller.MayAdminister() || caller.MayLookUpByRefund() || caller.SeesQuarantinedBodies());
  EXPECT_FALSE(caller.View().SeesAll());
  EXPECT_THAT(caller.View().EventNames(), IsEmpty());
  EXPECT_FALSE(caller.View().Sees("refunded.pass"));
}

TEST(CallerTest, AnUnknownCallerHasNoRightAtAll) {
  const Caller caller(TokenClaim("unknown"), TwoNames());
  EXPECT_EQ(caller.RightsAs("books"), std::nullopt);
  EXPECT_FALSE(caller.MayCommitFor("books") || caller.MayAdminister() || caller.MayLookUpByRefund());
  EXPECT_FALSE(caller.View().Sees("refunded.pass") || caller.View().SeesAll());
}

TEST(CallerTest, EachRightIsItsOwn) {
  SubscriberPolicy none = Subscriber("x", {"t"}, {});
  const auto with = [&](auto change) {
    SubscriberPolicy subscriber = none;
    change(subscriber);
    return Caller(TokenClaim("t"), Policy({subscriber}));
  };
  const auto rights = [](const Caller& caller) {
    return std::vector<bool>{caller.MayAdminister(), caller.MayCommitFor("other"), caller.MayLookUpByRefund(),
                             caller.View().Sees("refunded.a"), caller.SeesQuarantinedBodies()};
  };
  EXPECT_THAT(rights(with([](auto& s) { s.administer = true; })), ElementsAre(true, false, false, false, false));
  EXPECT_THAT(rights(with([](auto& s) { s.commit_for_others = true; })), ElementsAre(false, true, false, false, false));
  EXPECT_THAT(rights(with([](auto& s) { s.look_up_by_refund = true; })), ElementsAre(false, false, true, false, false));
  EXPECT_THAT(rights(with([](auto& s) { s.events.all = true; })), ElementsAre(false, false, false, true, false));
  EXPECT_THAT(rights(with([](auto& s) { s.events.event_names = {"refunded.a"}; })),
              ElementsAre(false, false, false, true, false));
  EXPECT_THAT(rights(with([](auto& s) { s.events.personal_data = true; })),
              ElementsAre(false, false, false, false, false));
  EXPECT_THAT(rights(with([](auto& s) { s.administer = s.events.personal_data = true; })),
              ElementsAre(true, false, false, false, true));
}

TEST(CallerTest, OneIdentityMayHaveSeveralNames) {
  SubscriberPolicy passes = Subscriber("passes", {"t"}, {});
  passes.events = {false, {"refunded.pass"}, true};
  SubscriberPolicy rest = Subscriber("rest", {"t"}, {});
  rest.events = {false, {"refunded.bundle", "refunded.subscription"}, false};
  rest.look_up_by_refund = true;
  const Caller caller(TokenClaim("t"), Policy({passes, rest}));
  EXPECT_EQ(caller.RightsAs("passes"), passes.events);
  EXPECT_EQ(caller.RightsAs("rest"), rest.events);
  EXPECT_THAT(caller.View().EventNames(), ElementsAre("refunded.bundle", "refunded.pass", "refunded.subscription"));
  EXPECT_TRUE(caller.View().SeesPersonalData("refunded.pass"));
  EXPECT_FALSE(caller.View().SeesPersonalData("refunded.bundle")) << "the right of one name does not spill over";
  EXPECT_FALSE(caller.View().SeesPersonalData("refunded.other"));
  EXPECT_THAT(caller.ViewByRefund().EventNames(), ElementsAre("refunded.bundle", "refunded.subscription"));
}

}  // namespace
}  // namespace refund_relay
