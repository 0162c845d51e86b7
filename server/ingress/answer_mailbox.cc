#include "server/ingress/answer_mailbox.h"

#include <utility>

namespace refund_relay {

void AnswerMailbox::Put(Letter letter) {
  bool was_empty;
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) return;
    was_empty = letters_.empty();
    letters_.push_back(std::move(letter));
  }
  if (was_empty) wake_();
}

void AnswerMailbox::Take(std::vector<Letter>& out) {
  absl::MutexLock lock(&mutex_);
  letters_.swap(out);
}

void AnswerMailbox::Close() {
  std::vector<Letter> dropped;  // destroyed after the lock is let go
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  letters_.swap(dropped);
}

}  // namespace refund_relay
