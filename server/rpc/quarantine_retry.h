// QuarantineRetry: one RetryQuarantinedWebhooks call, from request to results.
#ifndef REFUND_RELAY_SERVER_RPC_QUARANTINE_RETRY_H_
#define REFUND_RELAY_SERVER_RPC_QUARANTINE_RETRY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "refundrelay/v1/admin_service.pb.h"
#include "server/rpc/call_context.h"

namespace refund_relay {

// Translates quarantined webhooks again, in order of arrival, a chunk at a time: each is promoted (appended and taken
// out in one step), or compared with the event that has its id, or stays. Works in turns on history threads and waits
// for commits in none of them. Owns itself until the answer.
class QuarantineRetry : public std::enable_shared_from_this<QuarantineRetry> {
 public:
  using Answer = absl::AnyInvocable<void(absl::StatusOr<refundrelay::v1::RetryQuarantinedWebhooksResponse>)>;

  // `answer` comes once, from any thread. `context` must outlive it.
  static void Start(CallContext& context, const refundrelay::v1::RetryQuarantinedWebhooksRequest& request,
                    Answer answer);

  // Webhooks that are retried in one turn. Bounds memory and how long a turn takes.
  static constexpr size_t kChunk = 64;

 private:
  struct Item {
    QuarantinedWebhook webhook;
    refundrelay::v1::RetryResult result;
    bool is_duplicate = false;
  };

  QuarantineRetry(CallContext& context, std::vector<std::string> ids, Answer answer);

  // Runs `step` on a history thread, or ends the call.
  void Turn(void (QuarantineRetry::*step)(EventLog& log));
  void PromoteChunk(EventLog& log);
  // Promotes `item`, or settles it at once. True if an answer of the quarantine is under way.
  bool Promote(Item& item);
  void OnPromoted(Item& item, const absl::StatusOr<AppendOutcome>& outcome);
  void CompareDuplicates(EventLog& log);
  // True if an answer of the quarantine is under way.
  bool Compare(Item& item, EventLog& log);
  // One of the answers that `waiting_` counts has come; the last one begins the turn `step`.
  void CountDown(void (QuarantineRetry::*step)(EventLog& log)) ABSL_LOCKS_EXCLUDED(mutex_);
  void AwaitAnswers(size_t count) ABSL_LOCKS_EXCLUDED(mutex_);
  void Finish(absl::Status status);

  CallContext& context_;
  const std::vector<std::string> ids_;  // empty = all
  Answer answer_;
  refundrelay::v1::RetryQuarantinedWebhooksResponse response_;
  std::vector<Item> chunk_;  // of the turn under way; each item is touched by one thread at a time
  uint64_t after_ordinal_ = 0;

  absl::Mutex mutex_;
  size_t waiting_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_QUARANTINE_RETRY_H_
