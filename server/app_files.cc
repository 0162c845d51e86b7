// App: the files that it reads at the start and follows while it runs: credentials, policy, certificates, keys.
#include <memory>
#include <string>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "server/app.h"
#include "server/ops/logging.h"
#include "server/ops/secret_text.h"

namespace refund_relay {

absl::Status App::LoadCredentials() {
  for (const auto& [flag, paths] : {std::pair("--webhook_secret_files", &config_.webhook_secret_files),
                                    std::pair("--webhook_basic_files", &config_.webhook_basic_files)}) {
    for (const std::string& path : *paths) {
      if (const absl::Status status = LoadCredentialFile(path); !status.ok()) {
        return absl::Status(status.code(), absl::StrCat(flag, ": ", status.message(),
                                                        "; correct the file, or the flag if it is another file"));
      }
    }
  }
  return credentials_.CheckComplete();
}

absl::Status App::LoadAccessPolicy() {
  const std::string& path = config_.access_policy_file;
  if (path.empty()) return absl::OkStatus();
  const absl::StatusOr<std::string> content = ReadFile(path);
  absl::Status status = content.ok() ? access_.Update(path, *content) : content.status();
  if (!status.ok()) {
    return absl::Status(status.code(), absl::StrCat("--access_policy_file: ", status.message(),
                                                    "; `refundctl policy check FILE` tells the same"));
  }
  access_policy_ = StateOf(content);
  ops_metrics_.FileLoaded(path, true);
  return absl::OkStatus();
}

void App::WatchAccessPolicy() {
  const std::string& path = config_.access_policy_file;
  if (path.empty()) return;
  // A change since it was loaded is told, too.
  watcher_->Watch(path, access_policy_,
                  [this](const absl::StatusOr<std::string>& content) { OnAccessPolicy(content); });
}

void App::OnAccessPolicy(const absl::StatusOr<std::string>& content) {
  const std::string& path = config_.access_policy_file;
  if (!content.ok()) access_.ReportUnreadable(path, content.status());
  const bool updated = content.ok() && access_.Update(path, *content).ok();
  if (updated) grpc_->PolicyChanged();
  ops_metrics_.FileLoaded(path, updated);
}

absl::Status App::LoadCredentialFile(const std::string& path) {
  absl::StatusOr<std::string> content = ReadFile(path);
  if (!content.ok()) return content.status();
  const absl::Cleanup wipe = [&content] { Wipe(*content); };
  if (absl::Status status = credentials_.Update(path, *content); !status.ok()) return status;
  ops_metrics_.FileLoaded(path, true);
  ops_metrics_.WebhookCredentials(path, credentials_.CountIn(path));
  watcher_->Watch(path, content,
                  [this, path](const absl::StatusOr<std::string>& changed) { OnCredentialFile(path, changed); });
  return absl::OkStatus();
}

void App::OnCredentialFile(const std::string& path, const absl::StatusOr<std::string>& content) {
  if (!content.ok()) {
    credentials_.ReportUnreadable(path, content.status());
    ops_metrics_.FileLoaded(path, false);
    return;
  }
  ops_metrics_.FileLoaded(path, credentials_.Update(path, *content).ok());
  ops_metrics_.WebhookCredentials(path, credentials_.CountIn(path));
}

std::unique_ptr<TlsStore> App::MakeTlsStore(const std::string& door, const TlsFiles& files) {
  if (!files.enabled()) return nullptr;
  return std::make_unique<TlsStore>(
      door, files,
      TlsStore::Report{
          [this](const std::string& file, bool successful) { ops_metrics_.FileLoaded(file, successful); },
          [this](const std::string& cert, absl::Time expiry) { ops_metrics_.CertificateExpiry(cert, expiry); }});
}

absl::Status App::LoadCertificates() {
  for (TlsStore* const store : {grpc_tls_.get(), http_tls_.get(), admin_tls_.get()}) {
    if (store == nullptr) continue;
    if (absl::Status status = store->Load(); !status.ok()) return status;
    store->Watch(*watcher_);
  }
  return absl::OkStatus();
}

std::unique_ptr<ServiceAccounts> App::MakeServiceAccounts() {
  if (config_.service_account_issuer.empty()) return nullptr;
  ServiceAccounts::Options options;
  options.rules.issuer = config_.service_account_issuer;
  options.rules.audience = config_.service_account_audience;
  options.jwks_file = config_.service_account_jwks_file;
  options.jwks_url = config_.service_account_jwks_url;
  options.jwks_ca_file = config_.service_account_jwks_ca_file;
  options.jwks_token_file = config_.service_account_jwks_token_file;
  return std::make_unique<ServiceAccounts>(
      std::move(options), Clock::System(),
      [this](const std::string& source, bool successful) { ops_metrics_.FileLoaded(source, successful); });
}

absl::Status App::LoadServiceAccountKeys() {
  return service_accounts_ == nullptr ? absl::OkStatus() : service_accounts_->Load();
}

}  // namespace refund_relay
