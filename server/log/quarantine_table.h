// QuarantineTable: the rules of the quarantine inside a commit. Every log uses it, over rows of its own.
#ifndef REFUND_RELAY_SERVER_LOG_QUARANTINE_TABLE_H_
#define REFUND_RELAY_SERVER_LOG_QUARANTINE_TABLE_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/log/append_command.h"
#include "server/log/commit_part.h"
#include "server/log/quarantine.h"

namespace refund_relay {

// Where quarantined webhooks are stored. Every call belongs to the writer's thread, inside the transaction that is
// open; errors are of storage.
class QuarantineRows {
 public:
  virtual ~QuarantineRows() = default;
  // The id of the webhook with this body; unset when there is none.
  virtual absl::StatusOr<std::optional<std::string>> FindBody(std::string_view body_hash) = 0;
  virtual absl::StatusOr<bool> Contains(std::string_view quarantine_id) = 0;
  virtual absl::Status Insert(const NewQuarantinedWebhook& webhook, std::string_view quarantine_id) = 0;
  virtual absl::Status CountAgain(std::string_view quarantine_id) = 0;
  // Whether it was there.
  virtual absl::StatusOr<bool> Remove(std::string_view quarantine_id) = 0;

  struct Held {
    size_t webhooks = 0;
    std::optional<absl::Time> oldest_received_at;
  };
  virtual absl::StatusOr<Held> Count() = 0;
};

// `Info` is thread-safe, everything else belongs to the writer's thread.
class QuarantineTable final : public CommitPart {
 public:
  // `rows` must outlive the table. Keeps at most `limit` webhooks.
  QuarantineTable(QuarantineRows& rows, size_t limit) : rows_(rows), limit_(limit) {}

  // Counts what was found on opening. Before anything else.
  absl::Status Load() ABSL_LOCKS_EXCLUDED(mu_);

  // As Quarantine's. The returned status is of storage; what the rules say goes into `outcome`.
  absl::Status Add(const NewQuarantinedWebhook& webhook, absl::StatusOr<QuarantineOutcome>* outcome);
  absl::Status Promote(std::string_view quarantine_id, const NewEvent& event, EventAppender& appender,
                       absl::StatusOr<AppendOutcome>* outcome);
  absl::Status Discard(std::string_view quarantine_id, bool* was_there);

  void Published() override ABSL_LOCKS_EXCLUDED(mu_);
  void RolledBack() override { changed_ = false; }

  QuarantineInfo Info() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  QuarantineRows& rows_;
  const size_t limit_;
  bool changed_ = false;  // by the open transaction

  absl::Mutex mu_;
  QuarantineRows::Held held_ ABSL_GUARDED_BY(mu_);  // as of the last commit
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_QUARANTINE_TABLE_H_
