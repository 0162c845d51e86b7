#include "server/identity/service_accounts.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/ops/file_watcher.h"
#include "server/ops/logging.h"

namespace refund_relay {
namespace {

// How long a start waits for the first fetch.
constexpr absl::Duration kStartPatience = absl::Seconds(5);

}  // namespace

ServiceAccounts::ServiceAccounts(Options options, const Clock& clock, Report report)
    : options_(std::move(options)), report_(std::move(report)), tokens_(options_.rules, keys_, clock) {
  if (options_.jwks_url.empty()) return;
  KeyFetcher::Options fetching;
  fetching.url = ParseHttpUrl(options_.jwks_url).value();
  fetching.url_text = options_.jwks_url;
  fetching.ca_file = options_.jwks_ca_file;
  fetching.token_file = options_.jwks_token_file;
  fetcher_ = std::make_unique<KeyFetcher>(std::move(fetching), keys_, [this](bool successful, bool changed) {
    report_(options_.jwks_url, successful);
    if (changed) TellChange();
  });
  keys_.AskWith([this] { fetcher_->Ask(); });
}

absl::Status ServiceAccounts::Load() {
  if (fetcher_ != nullptr) {
    fetcher_->Start();
    fetcher_->AwaitFirst(kStartPatience);
    return absl::OkStatus();
  }
  content_ = ReadFile(options_.jwks_file);
  if (const absl::Status used = UseFile(content_); !used.ok()) {
    return absl::Status(used.code(), absl::StrCat("--service_account_jwks_file: ", used.message(),
                                                  "; `kubectl get --raw /openid/v1/jwks` prints the cluster's"));
  }
  report_(options_.jwks_file, true);
  return absl::OkStatus();
}

void ServiceAccounts::Follow(FileWatcher& watcher, std::function<void()> keys_changed) {
  {
    absl::MutexLock lock(&mutex_);
    keys_changed_ = std::move(keys_changed);
  }
  if (fetcher_ != nullptr) return;
  watcher.Watch(options_.jwks_file, content_, [this](const absl::StatusOr<std::string>& content) { OnFile(content); });
}

void ServiceAccounts::TellChange() {
  std::function<void()> keys_changed;
  {
    absl::MutexLock lock(&mutex_);
    keys_changed = keys_changed_;
  }
  if (keys_changed != nullptr) keys_changed();
}

void ServiceAccounts::Stop() {
  if (fetcher_ != nullptr) fetcher_->Stop();
}

absl::Status ServiceAccounts::UseFile(const absl::StatusOr<std::string>& content) {
  if (!content.ok()) return content.status();
  const absl::StatusOr<bool> changed = keys_.Update(*content);
  if (!changed.ok()) {
    return absl::Status(changed.status().code(), absl::StrCat(options_.jwks_file, ": ", changed.status().message()));
  }
  if (!*changed) return absl::OkStatus();
  Log(LogLevel::kInfo, "keys of service accounts read",
      {{"file", options_.jwks_file}, {"keys", keys_.Current().keys->size()}});
  TellChange();
  return absl::OkStatus();
}

void ServiceAccounts::OnFile(const absl::StatusOr<std::string>& content) {
  const absl::Status used = UseFile(content);
  if (!used.ok()) {
    Log(LogLevel::kError, "keys of service accounts NOT read; those that were read before stay in force",
        {{"file", options_.jwks_file}, {"cause", used}});
  }
  report_(options_.jwks_file, used.ok());
}

}  // namespace refund_relay
