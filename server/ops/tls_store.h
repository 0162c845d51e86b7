// TlsStore: the certificate and key of one door, checked, and read again when their files change.
#ifndef REFUND_RELAY_SERVER_OPS_TLS_STORE_H_
#define REFUND_RELAY_SERVER_OPS_TLS_STORE_H_

#include <boost/asio/ssl/context.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/ops/file_watcher.h"
#include "server/ops/secret_text.h"

namespace refund_relay {

// Where a door's TLS comes from. Without a certificate the door speaks plain text.
struct TlsFiles {
  std::string cert_file;       // PEM: the certificate, then those that lead to its root
  std::string key_file;        // PEM, without a passphrase
  std::string client_ca_file;  // PEM; if given, clients must show a certificate of one of these

  bool enabled() const { return !cert_file.empty(); }
};

// A certificate and key that belong together. Never changes. Its key is wiped with it, as far as it is ours: gRPC and
// OpenSSL's decoder make copies of their own.
struct TlsIdentity {
  std::string cert_pem;
  SecretText key_pem;
  std::string client_ca_pem;  // empty: clients need no certificate
  absl::Time cert_expiry = absl::InfiniteFuture();
  absl::Time client_ca_expiry = absl::InfiniteFuture();  // of the first that expires
  uint64_t version = 0;                                  // differs between any two of one store
  // For servers of ours: TLS 1.2 at least, forward secrecy and AEAD only, no renegotiation, no client certificates.
  // OpenSSL counts its references, so one context serves any number of threads.
  std::shared_ptr<boost::asio::ssl::context> context;
};

// Checks that the texts are PEM, that key and certificate belong together, that OpenSSL takes them for a server, and
// that no certificate is out of date at `now`. INVALID_ARGUMENT says which of the three is wrong and how, never what
// stands there. Pure.
absl::StatusOr<TlsIdentity> ParseTlsIdentity(const std::string& cert_pem, const std::string& key_pem,
                                             const std::string& client_ca_pem, absl::Time now);

// When the first certificate in a PEM text expires; the infinite past if there is none that can be read. Pure.
absl::Time CertificateExpiry(const std::string& pem);

// `Snapshot` may be called by any thread; `Load`, then `Watch`, by the one that starts. Files that become unusable keep
// what was read before in force, with an error in the log. What is replaced stays valid for the connections that use
// it.
class TlsStore {
 public:
  // How the store tells what it read; called under no lock, by the starting thread or the watcher's.
  struct Report {
    // Whether the newest content of `file` is in use.
    std::function<void(const std::string& file, bool successful)> file_loaded;
    // `cert` is the door's name, or that with "_client_ca".
    std::function<void(const std::string& cert, absl::Time expiry)> expiry;
  };

  using Reader = std::function<absl::StatusOr<std::string>(const std::string& path)>;

  // `door` names it in the log, in metrics and in flags: `--<door>_tls_cert_file`. `read` stands in for ReadFile in
  // tests.
  TlsStore(
      std::string door, TlsFiles files, Report report,
      Reader read = [](const std::string& path) { return ReadFile(path); });

  const TlsFiles& files() const { return files_; }

  // For the start: reads the files. Blocks on storage. The error names the flag, the file and the way out.
  absl::Status Load() ABSL_LOCKS_EXCLUDED(mutex_);

  // Has `watcher` see to further reads; the store must outlive it. After a `Load` that was OK.
  void Watch(FileWatcher& watcher);

  // What new connections use; null before a `Load` that was OK.
  std::shared_ptr<const TlsIdentity> Snapshot() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using States = std::map<std::string, FileState>;  // by path

  // What the files hold, wiped with the object.
  struct Contents {
    std::map<std::string, absl::StatusOr<std::string>> files;  // by path

    Contents() = default;
    ~Contents();
    Contents(Contents&&) = default;
    Contents& operator=(Contents&&) = delete;
    States states() const;
  };

  Contents ReadOnce() const;
  Contents Read() const;
  absl::Status Use(const Contents& contents) ABSL_LOCKS_EXCLUDED(mutex_);
  void Reload() ABSL_LOCKS_EXCLUDED(mutex_);
  void TellFiles(const States& states) const;
  void WarnOfExpiry(const std::string& file, absl::Time expiry) const;

  const std::string door_;
  const TlsFiles files_;
  const Report report_;
  const Reader read_;

  States in_use_;  // of the thread that loads: the starting one, after `Watch` the watcher's

  mutable absl::Mutex mutex_;
  std::shared_ptr<const TlsIdentity> current_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_TLS_STORE_H_
