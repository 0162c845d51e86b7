// MemoryEventLog: a log that forgets everything at the end of the process. For tests and for trying things out.
#ifndef REFUND_RELAY_SERVER_LOG_MEMORY_EVENT_LOG_H_
#define REFUND_RELAY_SERVER_LOG_MEMORY_EVENT_LOG_H_

#include <cstdint>
#include <memory>
#include <string>

#include "server/log/event_log.h"
#include "server/log/log_limits.h"
#include "server/log/log_metrics.h"
#include "server/log/log_tail.h"
#include "server/ops/clock.h"

namespace refund_relay {

class LogWriter;
class MemoryEventStore;

// Keeps the whole contract of EventLog but durability. Memory grows with every event: nothing is ever deleted.
class MemoryEventLog final : public EventLog {
 public:
  struct Options {
    const Clock* clock = &Clock::System();  // must outlive the log
    LogLimits limits;
    LogMetrics* metrics = nullptr;  // may be null; must outlive the log
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
  absl::StatusOr<FoundEvent> Find(std::string_view event_id) override;
  LogInfo Info() override;
  absl::Status Health() override;
  absl::Status Close(absl::Time deadline) override;

 private:
  const Options options_;
  const std::string log_id_;
  LogTail tail_;
  std::unique_ptr<MemoryEventStore> store_;
  std::unique_ptr<LogWriter> writer_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_MEMORY_EVENT_LOG_H_
