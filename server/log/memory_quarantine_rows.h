// MemoryQuarantineRows: the quarantine of the log in memory.
#ifndef REFUND_RELAY_SERVER_LOG_MEMORY_QUARANTINE_ROWS_H_
#define REFUND_RELAY_SERVER_LOG_MEMORY_QUARANTINE_ROWS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/log/quarantine_table.h"

namespace refund_relay {

// Changes show at once: a commit of the memory log cannot fail. Thread-safe.
class MemoryQuarantineRows final : public QuarantineRows {
 public:
  absl::StatusOr<std::optional<std::string>> FindBody(std::string_view body_hash) override ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<bool> Contains(std::string_view quarantine_id) override ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status Insert(const NewQuarantinedWebhook& webhook, std::string_view quarantine_id) override
      ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status CountAgain(std::string_view quarantine_id) override ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<bool> Remove(std::string_view quarantine_id) override ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<Held> Count() override ABSL_LOCKS_EXCLUDED(mu_);

  std::vector<QuarantinedWebhook> Read(const QuarantineQuery& query) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Row {
    QuarantinedWebhook webhook;
    std::string body_hash;
  };
  std::map<uint64_t, Row>::iterator Find(std::string_view quarantine_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  absl::Mutex mu_;
  uint64_t last_ordinal_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<uint64_t, Row> rows_ ABSL_GUARDED_BY(mu_);  // by ordinal
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_MEMORY_QUARANTINE_ROWS_H_
