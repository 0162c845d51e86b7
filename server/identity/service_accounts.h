// ServiceAccounts: all that it takes to accept tokens of Kubernetes service accounts, as one part of the server.
#ifndef REFUND_RELAY_SERVER_IDENTITY_SERVICE_ACCOUNTS_H_
#define REFUND_RELAY_SERVER_IDENTITY_SERVICE_ACCOUNTS_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/identity/key_fetcher.h"
#include "server/identity/service_account_tokens.h"
#include "server/identity/token_keys.h"
#include "server/ops/clock.h"

namespace refund_relay {

class FileWatcher;

// `verifier` may be used by any thread; the rest belongs to the one that starts and stops the server.
class ServiceAccounts {
 public:
  struct Options {
    TokenRules rules;
    // The key set: a file, or an https URL with what it takes to fetch it.
    std::string jwks_file;
    std::string jwks_url;
    std::string jwks_ca_file;
    std::string jwks_token_file;
  };
  // Whether the newest keys of `source`, the file or URL, are in use.
  using Report = std::function<void(const std::string& source, bool successful)>;

  // `options` were checked. `clock` must outlive it.
  ServiceAccounts(Options options, const Clock& clock, Report report);

  ServiceAccountVerifier& verifier() { return tokens_; }

  // For the start. A file must be good, or the server must not start: INVALID_ARGUMENT, or as ReadFile, naming flag and
  // file. Fetching from a URL begins, and is waited for, but not for long: the issuer may be down, and webhooks must
  // come in all the same. Tokens are answered UNAVAILABLE until the keys are there. Blocks.
  absl::Status Load();
  // From now on the keys follow the file, too, and `keys_changed` is called, by the watcher's thread or the fetcher's.
  void Follow(FileWatcher& watcher, std::function<void()> keys_changed) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends fetching. `keys_changed` is not called by the fetcher any more.
  void Stop();

 private:
  void TellChange() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status UseFile(const absl::StatusOr<std::string>& content);
  void OnFile(const absl::StatusOr<std::string>& content);

  const Options options_;
  const Report report_;
  TokenKeys keys_;
  ServiceAccountTokens tokens_;
  absl::StatusOr<std::string> content_ = "";  // of the file at start
  absl::Mutex mutex_;
  std::function<void()> keys_changed_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<KeyFetcher> fetcher_;  // null with a file; last: its thread uses the above
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_IDENTITY_SERVICE_ACCOUNTS_H_
