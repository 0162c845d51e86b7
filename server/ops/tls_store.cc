#include "server/ops/tls_store.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/ops/logging.h"

namespace refund_relay {
namespace {

// A certificate that expires sooner is worth a warning: time enough for a person to act.
constexpr absl::Duration kExpiryWarning = absl::Hours(24 * 14);
// Files that change while they are read are read again: a symbolic link may be swapped between two of them.
constexpr int kReadAttempts = 5;

bool Same(const FileState& a, const FileState& b) { return a.ok() && b.ok() ? *a == *b : a.status() == b.status(); }

// Of the same files.
bool AllSame(const std::map<std::string, FileState>& some, const std::map<std::string, FileState>& others) {
  return std::equal(some.begin(), some.end(), others.begin(),
                    [](const auto& a, const auto& b) { return Same(a.second, b.second); });
}

}  // namespace

TlsStore::TlsStore(std::string door, TlsFiles files, Report report, Reader read)
    : door_(std::move(door)), files_(std::move(files)), report_(std::move(report)), read_(std::move(read)) {}

TlsStore::Contents::~Contents() {
  for (auto& [path, content] : files) {
    if (content.ok()) Wipe(*content);
  }
}

TlsStore::States TlsStore::Contents::states() const {
  States states;
  for (const auto& [path, content] : files) states.emplace(path, StateOf(content));
  return states;
}

TlsStore::Contents TlsStore::ReadOnce() const {
  Contents contents;
  for (const std::string& path : {files_.cert_file, files_.key_file, files_.client_ca_file}) {
    if (!path.empty()) contents.files.try_emplace(path, read_(path));
  }
  return contents;
}

TlsStore::Contents TlsStore::Read() const {
  States before = ReadOnce().states();
  for (int attempt = 2;; ++attempt) {
    Contents contents = ReadOnce();
    States states = contents.states();
    if (attempt == kReadAttempts || AllSame(states, before)) return contents;
    before = std::move(states);
  }
}

absl::Status TlsStore::Use(const Contents& contents) {
  for (const auto& [path, content] : contents.files) {
    if (!content.ok()) return content.status();
  }
  static const std::string none;
  const auto text = [&contents](const std::string& path) -> const std::string& {
    return path.empty() ? none : *contents.files.at(path);
  };
  absl::StatusOr<TlsIdentity> identity =
      ParseTlsIdentity(text(files_.cert_file), text(files_.key_file), text(files_.client_ca_file), absl::Now());
  if (!identity.ok()) return identity.status();
  in_use_ = contents.states();
  const absl::Time cert_expiry = identity->cert_expiry;
  const absl::Time client_ca_expiry = identity->client_ca_expiry;
  {
    absl::MutexLock lock(&mutex_);
    identity->version = current_ == nullptr ? 1 : current_->version + 1;
    current_ = std::make_shared<const TlsIdentity>(*std::move(identity));
  }
  Log(LogLevel::kInfo, "certificate read",
      {{"door", door_}, {"file", files_.cert_file}, {"expires", absl::FormatTime(cert_expiry, absl::UTCTimeZone())}});
  report_.expiry(door_, cert_expiry);
  WarnOfExpiry(files_.cert_file, cert_expiry);
  if (!files_.client_ca_file.empty()) {
    report_.expiry(absl::StrCat(door_, "_client_ca"), client_ca_expiry);
    WarnOfExpiry(files_.client_ca_file, client_ca_expiry);
  }
  return absl::OkStatus();
}

void TlsStore::WarnOfExpiry(const std::string& file, absl::Time expiry) const {
  if (expiry - absl::Now() >= kExpiryWarning) return;
  Log(LogLevel::kWarning, "a certificate expires soon; put a new one in its place, it is read while the server runs",
      {{"door", door_}, {"file", file}, {"expires", absl::FormatTime(expiry, absl::UTCTimeZone())}});
}

absl::Status TlsStore::Load() {
  const Contents contents = Read();
  if (const absl::Status status = Use(contents); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat("--", door_, "_tls_cert_file, --", door_, "_tls_key_file: ",
                                                    status.message(), "; correct the files (", files_.cert_file, ", ",
                                                    files_.key_file, files_.client_ca_file.empty() ? "" : ", ",
                                                    files_.client_ca_file, "), or the flags if they name others"));
  }
  TellFiles(in_use_);
  return absl::OkStatus();
}

void TlsStore::Watch(FileWatcher& watcher) {
  // A copy: the first change may be told, and replace it, before the last file is watched.
  const States known = in_use_;
  for (const auto& [path, state] : known) {
    watcher.Watch(path, state, [this](const absl::StatusOr<std::string>&) { Reload(); });
  }
}

void TlsStore::Reload() {
  // All of them, whichever has changed: they must fit each other.
  const Contents contents = Read();
  const States states = contents.states();
  if (!AllSame(states, in_use_)) {
    if (const absl::Status status = Use(contents); !status.ok()) {
      Log(LogLevel::kError, "new certificate NOT used; the one that was read before stays in force",
          {{"door", door_}, {"file", files_.cert_file}, {"key_file", files_.key_file}, {"cause", status}});
    }
  }
  TellFiles(states);
}

void TlsStore::TellFiles(const States& states) const {
  for (const auto& [path, state] : states) report_.file_loaded(path, Same(state, in_use_.at(path)));
}

std::shared_ptr<const TlsIdentity> TlsStore::Snapshot() const {
  absl::MutexLock lock(&mutex_);
  return current_;
}

}  // namespace refund_relay
