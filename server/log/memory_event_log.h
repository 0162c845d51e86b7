// MemoryEventLog: a log that forgets everything at the end of the process. For tests and for trying things out.
#ifndef REFUND_RELAY_SERVER_LOG_MEMORY_EVENT_LOG_H_
#define REFUND_RELAY_SERVER_LOG_MEMORY_EVENT_LOG_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "server/log/event_log.h"
#include "server/log/log_limits.h"
#include "server/log/log_metrics.h"
#include "server/log/log_tail.h"
#include "server/log/memory_quarantine_rows.h"
#include "server/log/position_store.h"
#include "server/log/position_table.h"
#include "server/log/quarantine.h"
#include "server/log/quarantine_table.h"
#include "server/ops/clock.h"

namespace refund_relay {

class LogWriter;
class MemoryEventStore;

// Keeps the whole contract of EventLog but durability. Memory grows with every event that is not trimmed.
class MemoryEventLog final : public EventLog {
 public:
  struct Options {
    const Clock* clock = &Clock::System();  // must outlive the log
    LogLimits limits = {};
    LogMetrics* metrics = nullptr;  // may be null; must outlive the log
    size_t max_quarantined_webhooks = kDefaultMaxQuarantinedWebhooks;
  };

  explicit MemoryEventLog(Options options);
  MemoryEventLog() : MemoryEventLog(Options()) {}
  ~MemoryEventLog() override;

  void Append(NewEvent event, AppendDone done) override;
  LogPosition StartTail(TailVisitor visit) override;
  absl::StatusOr<LogPosition> Read(LogPosition after, const EventFilter& filter, const ReadLimits& limits,
                                   absl::FunctionRef<void(const StoredEvent&)> visit) override;
  absl::StatusOr<LogPosition> PositionAt(uint64_t sequence) override;
  absl::StatusOr<LogPosition> PositionBefore(absl::Time time) override;
  absl::StatusOr<absl::Time> StoredAt(uint64_t sequence) override;
  absl::StatusOr<FoundEvent> Find(std::string_view event_id) override;
  absl::StatusOr<LogPosition> FindByRefund(RefundIdKind which, std::string_view id, LogPosition after,
                                           const ReadLimits& limits,
                                           absl::FunctionRef<void(const StoredEvent&)> visit) override;
  void Trim(TrimRequest request, TrimDone done) override;
  LogInfo Info() override;
  absl::Status Health() override;
  absl::Status Close(absl::Time deadline) override;

  // What shares the log's writer; they live as long as the log.
  PositionStore& positions() { return *positions_; }
  Quarantine& quarantine() { return *quarantine_; }

 private:
  const Options options_;
  const std::string log_id_;
  LogTail tail_;
  std::unique_ptr<MemoryEventStore> store_;
  PositionTable position_table_;
  MemoryQuarantineRows quarantine_rows_;
  QuarantineTable quarantine_table_;
  std::unique_ptr<LogWriter> writer_;
  std::unique_ptr<PositionStore> positions_;
  std::unique_ptr<Quarantine> quarantine_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_MEMORY_EVENT_LOG_H_
