#include "server/access/caller.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/access/bearer_token.h"

namespace refund_relay {
namespace {

bool HasToken(const SubscriberPolicy& subscriber, const Sha256Digest& hash) {
  bool found = false;
  for (const Sha256Digest& known : subscriber.token_hashes) {
    // No early end: it would tell how many were compared.
    found |= CRYPTO_memcmp(known.data(), hash.data(), hash.size()) == 0;
  }
  return found;
}

bool HasServiceAccount(const SubscriberPolicy& subscriber, const ServiceAccountClaim& claim) {
  return claim.verdict == ServiceAccountClaim::Verdict::kVerified &&
         std::find(subscriber.service_accounts.begin(), subscriber.service_accounts.end(), claim.account) !=
             subscriber.service_accounts.end();
}

bool HasCertificate(const SubscriberPolicy& subscriber, const std::vector<std::string>& names) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return std::find(subscriber.certificates.begin(), subscriber.certificates.end(), name) !=
           subscriber.certificates.end();
  });
}

}  // namespace

CallerClaim ReadCallerClaim(absl::Span<const std::string_view> authorization, const CertificateNames& certificate,
                            absl::Time now) {
  CallerClaim claim;
  claim.certificate_expires = certificate.expires;
  claim.certificate_expired = now >= certificate.expires;
  if (!authorization.empty()) {
    claim.method = CallerMethod::kToken;
    const auto token = authorization.size() == 1 ? TokenOf(authorization[0]) : std::nullopt;
    claim.well_formed = token.has_value();
    if (token.has_value()) claim.token_hash = Sha256({*token});
  } else if (certificate.present) {
    claim.method = CallerMethod::kCertificate;
    for (const std::string& name : certificate.dns) {
      claim.certificates.push_back(absl::StrCat("dns:", absl::AsciiStrToLower(name)));
    }
    for (const std::string& uri : certificate.uri) claim.certificates.push_back(absl::StrCat("uri:", uri));
  }
  return claim;
}

Caller::Caller(CallerClaim claim, std::shared_ptr<const AccessPolicy> policy)
    : claim_(std::move(claim)), policy_(std::move(policy)) {
  if (!restricted() || claim_.method == CallerMethod::kNone || !claim_.well_formed || claim_.certificate_expired)
    return;
  for (const SubscriberPolicy& subscriber : policy_->subscribers) {
    if (IsIt(subscriber)) names_.push_back(&subscriber);
  }
}

bool Caller::IsIt(const SubscriberPolicy& subscriber) const {
  switch (claim_.method) {
    case CallerMethod::kToken:
      return HasToken(subscriber, claim_.token_hash);
    case CallerMethod::kCertificate:
      return HasCertificate(subscriber, claim_.certificates);
    case CallerMethod::kServiceAccount:
      return HasServiceAccount(subscriber, claim_.service_account);
    case CallerMethod::kNone:
      break;
  }
  return false;
}

Caller Caller::Identify(absl::Span<const std::string_view> authorization, const CertificateNames& certificate,
                        std::shared_ptr<const AccessPolicy> policy, ServiceAccountVerifier* verifier, absl::Time now) {
  Caller caller(ReadCallerClaim(authorization, certificate, now), policy);
  const CallerClaim& claim = caller.claim_;
  if (verifier == nullptr || claim.certificate_expired || claim.method != CallerMethod::kToken ||
      caller.result() != CallerResult::kWrong) {
    return caller;
  }
  const std::string_view token = TokenOf(authorization[0]).value();
  if (!LooksLikeJwt(token)) return caller;
  CallerClaim verified = claim;
  verified.method = CallerMethod::kServiceAccount;
  verified.service_account = verifier->Verify(token, claim.token_hash);
  return Caller(std::move(verified), std::move(policy));
}

Caller Caller::Again(std::shared_ptr<const AccessPolicy> policy, const ServiceAccountVerifier* verifier) const {
  CallerClaim claim = claim_;
  if (claim.method == CallerMethod::kServiceAccount &&
      (verifier == nullptr || !verifier->Trusts(claim_.service_account))) {
    claim.service_account.verdict = ServiceAccountClaim::Verdict::kRefused;
  }
  return Caller(std::move(claim), std::move(policy));
}

CallerResult Caller::result() const {
  if (claim_.certificate_expired) return CallerResult::kWrong;
  if (!restricted() || !names_.empty()) return CallerResult::kAuthentic;
  if (claim_.method == CallerMethod::kNone) return CallerResult::kAbsent;
  if (claim_.method == CallerMethod::kServiceAccount &&
      claim_.service_account.verdict == ServiceAccountClaim::Verdict::kUndecided) {
    return CallerResult::kUndecided;
  }
  return claim_.well_formed ? CallerResult::kWrong : CallerResult::kIllFormed;
}

const SubscriberPolicy* Caller::Named(std::string_view name) const {
  for (const SubscriberPolicy* subscriber : names_) {
    if (subscriber->name == name) return subscriber;
  }
  return nullptr;
}

std::optional<EventRights> Caller::RightsAs(std::string_view name) const {
  if (!restricted()) return EventRights{true, {}, true};
  const SubscriberPolicy* const subscriber = Named(name);
  if (subscriber == nullptr) return std::nullopt;
  return subscriber->events;
}

bool Caller::MayCommitFor(std::string_view name) const {
  return !restricted() || Named(name) != nullptr ||
         std::any_of(names_.begin(), names_.end(), [](const auto* of) { return of->commit_for_others; });
}

bool Caller::MayAdminister() const {
  return !restricted() || std::any_of(names_.begin(), names_.end(), [](const auto* of) { return of->administer; });
}

bool Caller::MayLookUpByRefund() const {
  return !restricted() ||
         std::any_of(names_.begin(), names_.end(), [](const auto* of) { return of->look_up_by_refund; });
}

EventView Caller::View() const {
  if (!restricted()) return EventView::Everything();
  std::vector<EventRights> rights;
  for (const SubscriberPolicy* of : names_) rights.push_back(of->events);
  return EventView(std::move(rights));
}

EventView Caller::ViewByRefund() const {
  if (!restricted()) return EventView::Everything();
  std::vector<EventRights> rights;
  for (const SubscriberPolicy* of : names_) {
    if (of->look_up_by_refund) rights.push_back(of->events);
  }
  return EventView(std::move(rights));
}

bool Caller::SeesQuarantinedBodies() const {
  return !restricted() || std::any_of(names_.begin(), names_.end(),
                                      [](const auto* of) { return of->administer && of->events.personal_data; });
}

}  // namespace refund_relay
