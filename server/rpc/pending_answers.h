// PendingAnswers: answers to calls that wait for something which may never come, such as a commit on a dead disk.
#ifndef REFUND_RELAY_SERVER_RPC_PENDING_ANSWERS_H_
#define REFUND_RELAY_SERVER_RPC_PENDING_ANSWERS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace refund_relay {

// A server must end every call before it can stop. Whoever answers a call from outside holds the answer here, and
// `FailAll` gives those that have not come by the deadline. Thread-safe. Outlives every answer that it gave out: it is
// shared with them.
class PendingAnswers : public std::enable_shared_from_this<PendingAnswers> {
 public:
  // Wraps `answer`, a callable of absl::StatusOr<T>: what comes first, a call of the result or `FailAll`, is the
  // answer; what comes later is dropped.
  template <typename T, typename Answer>
  absl::AnyInvocable<void(absl::StatusOr<T>)> Hold(Answer answer) {
    auto slot = std::make_shared<Answer>(std::move(answer));
    const uint64_t key = Add([slot](const absl::Status& status) { (*slot)(status); });
    // Not every answer takes it by value. NOLINTNEXTLINE(performance-unnecessary-value-param)
    return [self = shared_from_this(), key, slot](absl::StatusOr<T> response) {
      if (self->Take(key)) (*slot)(std::move(response));
    };
  }

  // Answers everything that is held, and from now on everything that comes to be held, with `status`.
  void FailAll(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Fail = absl::AnyInvocable<void(const absl::Status&)>;

  uint64_t Add(Fail fail) ABSL_LOCKS_EXCLUDED(mutex_);
  bool Take(uint64_t key) ABSL_LOCKS_EXCLUDED(mutex_);

  absl::Mutex mutex_;
  absl::Status failed_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_key_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, Fail> held_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_PENDING_ANSWERS_H_
