// Keeps the current credentials while their files change.
#ifndef REFUND_RELAY_SERVER_INGRESS_CREDENTIAL_STORE_H_
#define REFUND_RELAY_SERVER_INGRESS_CREDENTIAL_STORE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "server/ingress/credentials.h"

namespace refund_relay {

// Fed by a file watcher, asked by the authenticator. Thread-safe. A file that becomes unusable keeps its last good
// content, with an error in the log that names the file and the line, never what stands there; one that never was good
// is for the caller to report.
class CredentialStore {
 public:
  // The paths given to --webhook_secret_files and --webhook_basic_files.
  CredentialStore(const std::vector<std::string>& secret_files, const std::vector<std::string>& basic_files);

  // `path` has this content now. INVALID_ARGUMENT: it holds no credentials or an ill-formed line, and nothing changed.
  // NOT_FOUND: `path` is none of the store's files.
  absl::Status Update(std::string_view path, std::string_view content) ABSL_LOCKS_EXCLUDED(mutex_);

  // `path` cannot be read, for the reason given; nothing changes.
  void ReportUnreadable(std::string_view path, const absl::Status& cause);

  // For a start that fails closed: OK once every file was read. FAILED_PRECONDITION names the flags if there is no file
  // at all, or the first file that was never good.
  absl::Status CheckComplete() const ABSL_LOCKS_EXCLUDED(mutex_);

  // How many credentials of that file are in use.
  size_t CountIn(std::string_view path) const ABSL_LOCKS_EXCLUDED(mutex_);

  // The credentials now; never null.
  std::shared_ptr<const Credentials> Snapshot() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct File {
    std::string path;
    bool basic = false;
    bool loaded = false;
    std::vector<WebhookSecret> secrets;
    std::vector<BasicPair> basic_pairs;
  };

  void Publish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  std::vector<File> files_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const Credentials> current_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_CREDENTIAL_STORE_H_
