// ServiceAccountTokens: whether a token of a Kubernetes service account is to be believed.
#ifndef REFUND_RELAY_SERVER_IDENTITY_SERVICE_ACCOUNT_TOKENS_H_
#define REFUND_RELAY_SERVER_IDENTITY_SERVICE_ACCOUNT_TOKENS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/access/caller.h"
#include "server/identity/service_account_token.h"
#include "server/identity/token_keys.h"
#include "server/ops/clock.h"

namespace refund_relay {

// Looks at what is cheap first: form and claims, then the key id; only a token that could be right costs a
// verification. A good one is remembered by its hash until it expires or the keys change, so that a call costs a
// look-up. Thread-safe; blocks on nothing.
class ServiceAccountTokens final : public ServiceAccountVerifier {
 public:
  static constexpr size_t kMostRemembered = 4096;

  // Both must outlive it.
  ServiceAccountTokens(TokenRules rules, TokenKeys& keys, const Clock& clock);

  ServiceAccountClaim Verify(std::string_view token, const Sha256Digest& hash) override ABSL_LOCKS_EXCLUDED(mutex_);
  bool Trusts(const ServiceAccountClaim& claim) const override;

 private:
  struct Remembered {
    ServiceAccountClaim claim;
    uint64_t version = 0;  // of the keys
  };

  std::optional<ServiceAccountClaim> Recall(const Sha256Digest& hash, uint64_t version) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Remember(const Sha256Digest& hash, const Remembered& good) ABSL_LOCKS_EXCLUDED(mutex_);

  const TokenRules rules_;
  TokenKeys& keys_;
  const Clock& clock_;

  mutable absl::Mutex mutex_;
  std::map<Sha256Digest, Remembered> good_ ABSL_GUARDED_BY(mutex_);
  std::deque<Sha256Digest> order_ ABSL_GUARDED_BY(mutex_);  // the oldest first
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_IDENTITY_SERVICE_ACCOUNT_TOKENS_H_
