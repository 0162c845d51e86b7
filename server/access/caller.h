// Caller: who calls, by the credentials of the call and the policy, and what it may do.
#ifndef REFUND_RELAY_SERVER_ACCESS_CALLER_H_
#define REFUND_RELAY_SERVER_ACCESS_CALLER_H_

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/access/access_policy.h"
#include "server/translate/sha256.h"

namespace refund_relay {

enum class CallerMethod { kNone, kToken, kCertificate, kServiceAccount };
// kUndecided: the keys that a service account's token must be verified with are not here yet.
enum class CallerResult { kAuthentic, kAbsent, kIllFormed, kWrong, kUndecided };

// What the token of a Kubernetes service account came to.
struct ServiceAccountClaim {
  enum class Verdict { kVerified, kRefused, kUndecided };
  Verdict verdict = Verdict::kRefused;
  std::string_view cause;  // why it is not verified: one of a few fixed texts, nothing of the token
  std::string account;     // `namespace/name`; set if verified, as what follows
  absl::Time expires = absl::InfiniteFuture();  // not taken any more from then on
  Sha256Digest key{};                           // names the key that has signed it
};

// Verifies tokens of service accounts. Thread-safe; must not block.
class ServiceAccountVerifier {
 public:
  virtual ~ServiceAccountVerifier() = default;
  // `hash` is the SHA-256 of `token`.
  virtual ServiceAccountClaim Verify(std::string_view token, const Sha256Digest& hash) = 0;
  // Whether the key of a verified claim is still among the trusted ones.
  virtual bool Trusts(const ServiceAccountClaim& claim) const = 0;
};

// What a call says about who makes it. Holds no token, only its hash.
struct CallerClaim {
  CallerMethod method = CallerMethod::kNone;
  bool well_formed = true;
  bool certificate_expired = false;  // then nothing else counts
  Sha256Digest token_hash{};
  std::vector<std::string> certificates;  // `dns:NAME`, `uri:URI`: the names in the client certificate
  ServiceAccountClaim service_account;    // with kServiceAccount
  absl::Time certificate_expires = absl::InfiniteFuture();  // of one that was shown
};

// The names of a client certificate that was verified. `present` also if it has none that counts.
struct CertificateNames {
  bool present = false;
  std::vector<std::string> dns;
  std::vector<std::string> uri;
  absl::Time expires = absl::InfiniteFuture();
};

// A token counts before a certificate and alone: one that is present must be right. `authorization` holds the values of
// that metadata key; more than one is ill-formed. A certificate that has expired by `now` spoils any claim: TLS looks
// at its dates in a whole handshake only, and a session that is resumed by a ticket has none. Pure.
CallerClaim ReadCallerClaim(absl::Span<const std::string_view> authorization, const CertificateNames& certificate,
                            absl::Time now);

// A caller under one version of the policy, which it keeps alive. A value; thread-safe as such.
class Caller {
 public:
  // There is no policy: everyone may do everything.
  Caller() = default;

  // Looks `claim` up in `policy`. Hashes of tokens are compared in constant time, all of them, so that the time taken
  // tells nothing about them. Without a policy every caller may do everything whose certificate has not expired.
  Caller(CallerClaim claim, std::shared_ptr<const AccessPolicy> policy);

  // Who has these credentials: a token by its hash; one that the policy does not know and that looks like a JWT is a
  // service account's, if `verifier` is there. Then by the names of the certificate.
  static Caller Identify(absl::Span<const std::string_view> authorization, const CertificateNames& certificate,
                         std::shared_ptr<const AccessPolicy> policy, ServiceAccountVerifier* verifier, absl::Time now);
  // The same caller under another policy, and with the keys of now.
  Caller Again(std::shared_ptr<const AccessPolicy> policy, const ServiceAccountVerifier* verifier) const;

  CallerResult result() const;
  // When its credentials end by themselves.
  absl::Time expires() const { return std::min(claim_.service_account.expires, claim_.certificate_expires); }
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
  bool IsIt(const SubscriberPolicy& subscriber) const;
  const SubscriberPolicy* Named(std::string_view name) const;

  CallerClaim claim_;
  std::shared_ptr<const AccessPolicy> policy_;
  std::vector<const SubscriberPolicy*> names_;  // into *policy_
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_ACCESS_CALLER_H_
