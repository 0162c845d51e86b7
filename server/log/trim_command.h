// TrimCommand: one step of retention on its way through a log's writer.
#ifndef REFUND_RELAY_SERVER_LOG_TRIM_COMMAND_H_
#define REFUND_RELAY_SERVER_LOG_TRIM_COMMAND_H_

#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/log/event_log.h"
#include "server/log/log_writer.h"

namespace refund_relay {

// What trims write to: deletes events inside the transaction that is open.
class EventTrimmer {
 public:
  virtual ~EventTrimmer() = default;

  // As EventLog::Trim. The returned status is of the whole transaction; what concerns the trim alone goes into
  // `outcome`, so that a damaged record does not keep webhooks from being stored.
  virtual absl::Status Trim(const TrimRequest& request, absl::StatusOr<TrimOutcome>* outcome) = 0;
};

class TrimCommand final : public WriteCommand {
 public:
  // `trimmer` must outlive the command.
  TrimCommand(EventTrimmer& trimmer, TrimRequest request, EventLog::TrimDone done)
      : trimmer_(trimmer), request_(request), done_(std::move(done)) {}

  absl::Status Execute() override { return trimmer_.Trim(request_, &outcome_); }
  void Answer(const absl::Status& status) override { status.ok() ? done_(std::move(outcome_)) : done_(status); }
  size_t bytes() const override { return sizeof(*this); }

 private:
  EventTrimmer& trimmer_;
  const TrimRequest request_;
  EventLog::TrimDone done_;
  absl::StatusOr<TrimOutcome> outcome_ = TrimOutcome();
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_TRIM_COMMAND_H_
