// AccessControl: the policy in force, and who the maker of a call is under it.
#ifndef REFUND_RELAY_SERVER_RPC_ACCESS_CONTROL_H_
#define REFUND_RELAY_SERVER_RPC_ACCESS_CONTROL_H_

#include <grpcpp/server_context.h>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/registry.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "server/access/access_policy.h"
#include "server/access/caller.h"
#include "server/ops/log_limiter.h"

namespace refund_relay {

// Without a policy everyone may do everything; with one, whatever it does not grant is denied. Thread-safe; never
// blocks on I/O but for its log lines.
//
// Certificates count only if the transport has verified them: the server's credentials must not be of a kind that asks
// for certificates and takes them unverified.
class AccessControl {
 public:
  // Both must outlive it. Without `service_accounts`, their tokens are unknown ones.
  explicit AccessControl(prometheus::Registry& registry, ServiceAccountVerifier* service_accounts = nullptr);

  // `path` has this content now. Puts the policy in it in force from the next call on; open streams are for
  // GrpcServer::PolicyChanged to look at. INVALID_ARGUMENT names the path and each wrong place; nothing changed then.
  absl::Status Update(std::string_view path, std::string_view content) ABSL_LOCKS_EXCLUDED(mutex_);
  // `path` cannot be read; nothing changes.
  void ReportUnreadable(std::string_view path, const absl::Status& cause);

  // Who makes the call, counted in refund_relay_authentication_total. Its `result` may be other than kAuthentic.
  Caller Identify(const grpc::ServerContext& context) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same caller under the policy of now, and with the keys of now; not counted.
  Caller IdentifyAgain(const Caller& caller) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Logs that a call was refused because of who makes it. So that strangers cannot fill the log, at most
  // kMostRefusalLines a second; the next line tells how many were left out.
  void LogRefusal(std::string_view call, const Caller& caller, const std::string& peer, const absl::Status& status);
  static constexpr int kMostRefusalLines = 10;

 private:
  std::shared_ptr<const AccessPolicy> policy() const ABSL_LOCKS_EXCLUDED(mutex_);

  prometheus::Family<prometheus::Counter>& authentications_;
  ServiceAccountVerifier* const service_accounts_;  // null: not configured
  mutable absl::Mutex mutex_;
  std::shared_ptr<const AccessPolicy> policy_ ABSL_GUARDED_BY(mutex_);  // null: none
  LogLimiter refusal_lines_{kMostRefusalLines, absl::Seconds(1)};
};

// UNAUTHENTICATED for a caller whose `result` is not kAuthentic, else OK; UNAVAILABLE for kUndecided, which is no fault
// of the caller. Tells nothing of the policy.
absl::Status CheckAuthentic(const Caller& caller);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_ACCESS_CONTROL_H_
