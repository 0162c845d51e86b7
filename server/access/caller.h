// Caller: who calls, by the credentials of the call and the policy, and what it may do.
#ifndef REFUND_RELAY_SERVER_ACCESS_CALLER_H_
#define REFUND_RELAY_SERVER_ACCESS_CALLER_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "server/access/access_policy.h"
#include "server/translate/sha256.h"

namespace refund_relay {

enum class CallerMethod { kNone, kToken, kCertificate };
enum class CallerResult { kAuthentic, kAbsent, kIllFormed, kWrong };

// What a call says about who makes it. Holds no token, only its hash.
struct CallerClaim {
  CallerMethod method = CallerMethod::kNone;
  bool well_formed = true;
  Sha256Digest token_hash{};
  std::vector<std::string> certificates;  // `dns:NAME`, `uri:URI`: the names in the client certificate
};

// The names of a client certificate that was verified. `present` also if it has none that counts.
struct CertificateNames {
  bool present = false;
  std::vector<std::string> dns;
  std::vector<std::string> uri;
};

// A token counts before a certificate and alone: one that is present must be right. `authorization` holds the values of
// that metadata key; more than one is ill-formed. Pure.
CallerClaim ReadCallerClaim(absl::Span<const std::string_view> authorization, const CertificateNames& certificate);

// A caller under one version of the policy, which it keeps alive. A value; thread-safe as such.
class Caller {
 public:
  // There is no policy: everyone may do everything.
  Caller() = default;

  // Looks `claim` up in `policy`. Hashes of tokens are compared in constant time, all of them, so that the time taken
  // tells nothing about them.
  Caller(CallerClaim claim, std::shared_ptr<const AccessPolicy> policy);

  CallerResult result() const;
  const CallerClaim& claim() const { return claim_; }
  // The first of its names in alphabetical order; empty if it has none.
  std::string_view name() const { return names_.empty() ? std::string_view() : names_.front()->name; }

  // What it may see under `name`; unset if it may not subscribe under it.
  std::optional<EventRights> RightsAs(std::string_view name) const;
  bool MayCommitFor(std::string_view name) const;
  bool MayAdminister() const;
  bool MayLookUpByRefund() const;

  // What it sees in look-ups.
  EventView View() const;
  // Of these, in look-ups by refund: counts only names with that right.
  EventView ViewByRefund() const;
  // Whether the bodies of quarantined webhooks are shown to it.
  bool SeesQuarantinedBodies() const;

 private:
  bool restricted() const { return policy_ != nullptr; }
  const SubscriberPolicy* Named(std::string_view name) const;

  CallerClaim claim_;
  std::shared_ptr<const AccessPolicy> policy_;
  std::vector<const SubscriberPolicy*> names_;  // into *policy_
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_ACCESS_CALLER_H_
