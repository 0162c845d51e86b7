#include "server/identity/token_keys.h"

#include <utility>

namespace refund_relay {

void TokenKeys::AskWith(std::function<void()> ask) {
  absl::MutexLock lock(&mutex_);
  ask_ = std::move(ask);
}

absl::StatusOr<bool> TokenKeys::Update(std::string_view json) {
  {
    absl::MutexLock lock(&mutex_);
    if (current_.version != 0 && text_ == json) return false;
  }
  absl::StatusOr<JsonWebKeySet> read = ReadJsonWebKeySet(json);
  if (!read.ok()) return read.status();
  auto keys = std::make_shared<const JsonWebKeySet>(*std::move(read));
  absl::MutexLock lock(&mutex_);
  current_ = {std::move(keys), current_.version + 1};
  text_ = std::string(json);
  return true;
}

void TokenKeys::FetchBegins() {
  absl::MutexLock lock(&mutex_);
  ++fetches_begun_;
}

void TokenKeys::FetchSucceeded() {
  absl::MutexLock lock(&mutex_);
  last_success_ = fetches_begun_;
}

TokenKeys::Snapshot TokenKeys::Current() const {
  absl::MutexLock lock(&mutex_);
  return current_;
}

bool TokenKeys::MayCome(const std::string& key_id) {
  std::function<void()> ask;
  bool may_come = false;
  {
    absl::MutexLock lock(&mutex_);
    if (current_.keys->count(key_id) != 0) return true;
    if (ask_ == nullptr) return false;
    if (missing_.size() >= kMostMissing && missing_.count(key_id) == 0) missing_.clear();
    const uint64_t asked_before = missing_.try_emplace(key_id, fetches_begun_).first->second;
    may_come = last_success_ <= asked_before;
    ask = ask_;
  }
  ask();
  return may_come;
}

}  // namespace refund_relay
