// AppendCommand: one append on its way through a log's writer.
#ifndef REFUND_RELAY_SERVER_LOG_APPEND_COMMAND_H_
#define REFUND_RELAY_SERVER_LOG_APPEND_COMMAND_H_

#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/log/event_log.h"
#include "server/log/log_metrics.h"
#include "server/log/log_writer.h"

namespace refund_relay {

// What appends write to: stages events inside the transaction that is open.
class EventAppender {
 public:
  virtual ~EventAppender() = default;

  // The sequence that `event` gets if the transaction commits, or that of the first copy. `event` stays where it is
  // until the transaction was published or rolled back.
  virtual absl::StatusOr<AppendOutcome> Append(const NewEvent& event) = 0;
};

class AppendCommand final : public WriteCommand {
 public:
  // `appender` and `metrics` (may be null) must outlive the command.
  AppendCommand(EventAppender& appender, LogMetrics* metrics, NewEvent event, EventLog::AppendDone done)
      : appender_(appender), metrics_(metrics), event_(std::move(event)), done_(std::move(done)) {}

  absl::Status Execute() override {
    absl::StatusOr<AppendOutcome> outcome = appender_.Append(event_);
    if (!outcome.ok()) return outcome.status();
    outcome_ = *outcome;
    return absl::OkStatus();
  }

  void Answer(const absl::Status& status) override {
    if (metrics_ != nullptr) metrics_->Answered(absl::Nanoseconds(absl::GetCurrentTimeNanos() - started_nanos_));
    if (status.ok()) {
      done_(outcome_);
    } else {
      done_(status);
    }
  }

  size_t events() const override { return 1; }
  size_t bytes() const override {
    return sizeof(*this) + event_.event_id.size() + event_.event_name.size() + event_.client_id.size() +
           event_.refund_id.size() + event_.payment_gateway_refund_id.size() + event_.event.size();
  }

 private:
  EventAppender& appender_;
  LogMetrics* const metrics_;
  const NewEvent event_;
  EventLog::AppendDone done_;
  AppendOutcome outcome_;
  const int64_t started_nanos_ = absl::GetCurrentTimeNanos();
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_APPEND_COMMAND_H_
