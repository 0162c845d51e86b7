#include "server/identity/service_account_tokens.h"

#include <algorithm>
#include <utility>

namespace refund_relay {
namespace {

using Verdict = ServiceAccountClaim::Verdict;

ServiceAccountClaim Refused(TokenFault fault) {
  ServiceAccountClaim claim;
  claim.verdict = Verdict::kRefused;
  claim.cause = TextOf(fault);
  return claim;
}

}  // namespace

ServiceAccountTokens::ServiceAccountTokens(TokenRules rules, TokenKeys& keys, const Clock& clock)
    : rules_(std::move(rules)), keys_(keys), clock_(clock) {}

ServiceAccountClaim ServiceAccountTokens::Verify(std::string_view token, const Sha256Digest& hash) {
  const TokenKeys::Snapshot keys = keys_.Current();
  if (std::optional<ServiceAccountClaim> known = Recall(hash, keys.version); known.has_value())
    return *std::move(known);
  ServiceAccountToken read;
  if (const TokenFault fault = ReadServiceAccountToken(token, &read); fault != TokenFault::kNone) return Refused(fault);
  if (const TokenFault fault = CheckClaims(read, rules_, clock_.Now()); fault != TokenFault::kNone) {
    return Refused(fault);
  }
  const auto found = keys.keys->find(read.key_id);
  if (found == keys.keys->end()) {
    ServiceAccountClaim claim = Refused(TokenFault::kKeyUnknown);
    if (keys_.MayCome(read.key_id)) claim.verdict = Verdict::kUndecided;
    return claim;
  }
  const TrustedKey& trusted = found->second;
  if (!trusted.Takes(read.algorithm)) return Refused(TokenFault::kAlgorithm);
  if (!trusted.key.Verifies(read.algorithm, read.signed_text, read.signature)) return Refused(TokenFault::kSignature);
  ServiceAccountClaim claim;
  claim.verdict = Verdict::kVerified;
  claim.account = std::move(read.account);
  claim.expires = read.expires + rules_.clock_skew;
  claim.key = trusted.key.fingerprint();
  Remember(hash, {claim, keys.version});
  return claim;
}

bool ServiceAccountTokens::Trusts(const ServiceAccountClaim& claim) const {
  const TokenKeys::Snapshot keys = keys_.Current();
  return std::any_of(keys.keys->begin(), keys.keys->end(),
                     [&](const auto& trusted) { return trusted.second.key.fingerprint() == claim.key; });
}

std::optional<ServiceAccountClaim> ServiceAccountTokens::Recall(const Sha256Digest& hash, uint64_t version) const {
  absl::MutexLock lock(&mutex_);
  const auto found = good_.find(hash);
  if (found == good_.end() || found->second.version != version || clock_.Now() >= found->second.claim.expires) {
    return std::nullopt;
  }
  return found->second.claim;
}

void ServiceAccountTokens::Remember(const Sha256Digest& hash, const Remembered& good) {
  absl::MutexLock lock(&mutex_);
  if (good_.insert_or_assign(hash, good).second) order_.push_back(hash);
  if (order_.size() <= kMostRemembered) return;
  good_.erase(order_.front());
  order_.pop_front();
}

}  // namespace refund_relay
