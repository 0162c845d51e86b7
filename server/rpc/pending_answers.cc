#include "server/rpc/pending_answers.h"

namespace refund_relay {

uint64_t PendingAnswers::Add(Fail fail) {
  absl::Status failed;
  {
    absl::MutexLock lock(&mutex_);
    if (failed_.ok()) {
      held_.emplace(++last_key_, std::move(fail));
      return last_key_;
    }
    failed = failed_;
  }
  fail(failed);
  return 0;
}

bool PendingAnswers::Take(uint64_t key) {
  absl::MutexLock lock(&mutex_);
  return held_.erase(key) > 0;
}

void PendingAnswers::FailAll(const absl::Status& status) {
  std::map<uint64_t, Fail> held;
  {
    absl::MutexLock lock(&mutex_);
    failed_ = status;
    held.swap(held_);
  }
  for (auto& [key, fail] : held) fail(status);
}

}  // namespace refund_relay
