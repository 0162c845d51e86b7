// TokenKeys: the keys that tokens are verified with, and what is known of those that are not there.
#ifndef REFUND_RELAY_SERVER_IDENTITY_TOKEN_KEYS_H_
#define REFUND_RELAY_SERVER_IDENTITY_TOKEN_KEYS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/identity/json_web_key_set.h"

namespace refund_relay {

// Thread-safe; blocks on nothing. Keys come from a file, or are fetched: then `AskWith` comes first.
class TokenKeys {
 public:
  // So many unknown key ids are remembered. A flood of others makes us forget, and costs only a milder answer.
  static constexpr size_t kMostMissing = 64;

  struct Snapshot {
    std::shared_ptr<const JsonWebKeySet> keys;  // empty at first, never null
    uint64_t version = 0;                       // rises with each change
  };

  // `ask` is called when a token names a key that is not there; it must limit by itself how often it fetches, and must
  // not block. Without it a missing key is missing for good.
  void AskWith(std::function<void()> ask) ABSL_LOCKS_EXCLUDED(mutex_);

  // Puts the keys of a key set in force. Whether that made a difference. Errors are those of ReadJsonWebKeySet; the
  // keys of before stay then.
  absl::StatusOr<bool> Update(std::string_view json) ABSL_LOCKS_EXCLUDED(mutex_);

  // The fetcher's: around each fetch. A key id that was asked for before a fetch began, and that this fetch did not
  // bring, is known to be unknown.
  void FetchBegins() ABSL_LOCKS_EXCLUDED(mutex_);
  void FetchSucceeded() ABSL_LOCKS_EXCLUDED(mutex_);

  Snapshot Current() const ABSL_LOCKS_EXCLUDED(mutex_);

  // A token names `key_id`, which was not in the caller's snapshot: asks for it. True if it may still come, or has come
  // since.
  bool MayCome(const std::string& key_id) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable absl::Mutex mutex_;
  Snapshot current_ ABSL_GUARDED_BY(mutex_) = {std::make_shared<const JsonWebKeySet>(), 0};
  std::string text_ ABSL_GUARDED_BY(mutex_);  // of the set in force
  std::function<void()> ask_ ABSL_GUARDED_BY(mutex_);
  uint64_t fetches_begun_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t last_success_ ABSL_GUARDED_BY(mutex_) = 0;                // the number of that fetch
  std::map<std::string, uint64_t> missing_ ABSL_GUARDED_BY(mutex_);  // fetches begun when it was first asked for
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_IDENTITY_TOKEN_KEYS_H_
