#include "server/ingress/credential_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/ops/logging.h"

namespace refund_relay {

CredentialStore::CredentialStore(const std::vector<std::string>& secret_files,
                                 const std::vector<std::string>& basic_files) {
  absl::MutexLock lock(&mutex_);
  for (const std::string& path : secret_files) files_.push_back({path, false, false, {}, {}});
  for (const std::string& path : basic_files) files_.push_back({path, true, false, {}, {}});
  Publish();
}

absl::Status CredentialStore::Update(std::string_view path, std::string_view content) {
  absl::Status status;
  size_t matches = 0;
  size_t credentials = 0;
  bool had_any = false;
  {
    absl::MutexLock lock(&mutex_);
    for (File& file : files_) {
      if (file.path != path) continue;
      ++matches;
      had_any = had_any || file.loaded;
      if (file.basic) {
        auto pairs = ParseBasicFile(path, content);
        status.Update(pairs.status());
        if (!pairs.ok()) continue;
        file.basic_pairs = *std::move(pairs);
        credentials += file.basic_pairs.size();
      } else {
        auto secrets = ParseSecretFile(path, content);
        status.Update(secrets.status());
        if (!secrets.ok()) continue;
        file.secrets = *std::move(secrets);
        credentials += file.secrets.size();
      }
      file.loaded = true;
    }
    if (credentials > 0) Publish();
  }
  if (matches == 0) {
    return absl::NotFoundError(absl::StrCat(absl::string_view(path.data(), path.size()),
                                            " is neither in --webhook_secret_files nor in --webhook_basic_files"));
  }
  if (status.ok()) {
    Log(LogLevel::kInfo, "webhook credentials read", {{"file", path}, {"credentials", credentials}});
  } else if (had_any) {
    Log(LogLevel::kError, "webhook credentials NOT read; what was read before stays in force",
        {{"file", path}, {"cause", std::string(status.message())}});
  }
  return status;
}

void CredentialStore::ReportUnreadable(std::string_view path, const absl::Status& cause) {
  Log(LogLevel::kError, "a file of webhook credentials cannot be read; what was read before stays in force",
      {{"file", path}, {"cause", cause}});
}

absl::Status CredentialStore::CheckComplete() const {
  absl::MutexLock lock(&mutex_);
  if (files_.empty()) {
    return absl::FailedPreconditionError(
        "no webhook credentials: name a file with --webhook_secret_files or --webhook_basic_files");
  }
  for (const File& file : files_) {
    if (!file.loaded) {
      return absl::FailedPreconditionError(absl::StrCat("no webhook credentials could be read from ", file.path));
    }
  }
  return absl::OkStatus();
}

size_t CredentialStore::CountIn(std::string_view path) const {
  absl::MutexLock lock(&mutex_);
  size_t count = 0;
  for (const File& file : files_) {
    if (file.path == path) count += file.secrets.size() + file.basic_pairs.size();
  }
  return count;
}

std::shared_ptr<const Credentials> CredentialStore::Snapshot() const {
  absl::MutexLock lock(&mutex_);
  return current_;
}

void CredentialStore::Publish() {
  auto next = std::make_shared<Credentials>();
  for (const File& file : files_) {
    next->secrets.insert(next->secrets.end(), file.secrets.begin(), file.secrets.end());
    next->basic_pairs.insert(next->basic_pairs.end(), file.basic_pairs.begin(), file.basic_pairs.end());
  }
  current_ = std::move(next);
}

}  // namespace refund_relay
