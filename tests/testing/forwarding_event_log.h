// ForwardingEventLog: a log in front of another, for tests that change one thing of it.
#ifndef REFUND_RELAY_TESTS_TESTING_FORWARDING_EVENT_LOG_H_
#define REFUND_RELAY_TESTS_TESTING_FORWARDING_EVENT_LOG_H_

#include <memory>
#include <utility>

#include "server/log/event_log.h"

namespace refund_relay {

// Hands every call on to `inner`. Thread-safe as that is.
class ForwardingEventLog : public EventLog {
 public:
  explicit ForwardingEventLog(std::unique_ptr<EventLog> inner) : inner_(std::move(inner)) {}

  void Append(NewEvent event, AppendDone done) override { inner_->Append(std::move(event), std::move(done)); }
  LogPosition StartTail(TailVisitor visit) override { return inner_->StartTail(std::move(visit)); }
  absl::StatusOr<LogPosition> Read(LogPosition after, const EventFilter& filter, const ReadLimits& limits,
                                   absl::FunctionRef<void(const StoredEvent&)> visit) override {
    return inner_->Read(after, filter, limits, visit);
  }
  absl::StatusOr<LogPosition> PositionAt(uint64_t sequence) override { return inner_->PositionAt(sequence); }
  absl::StatusOr<LogPosition> PositionBefore(absl::Time time) override { return inner_->PositionBefore(time); }
  absl::StatusOr<absl::Time> StoredAt(uint64_t sequence) override { return inner_->StoredAt(sequence); }
  absl::StatusOr<FoundEvent> Find(std::string_view event_id) override { return inner_->Find(event_id); }
  absl::StatusOr<LogPosition> FindByRefund(RefundIdKind which, std::string_view id, LogPosition after,
                                           const ReadLimits& limits,
                                           absl::FunctionRef<void(const StoredEvent&)> visit) override {
    return inner_->FindByRefund(which, id, after, limits, visit);
  }
  void Trim(TrimRequest request, TrimDone done) override { inner_->Trim(request, std::move(done)); }
  LogInfo Info() override { return inner_->Info(); }
  absl::Status Health() override { return inner_->Health(); }
  absl::Status Close(absl::Time deadline) override { return inner_->Close(deadline); }

 protected:
  EventLog& inner() { return *inner_; }

 private:
  const std::unique_ptr<EventLog> inner_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_TESTS_TESTING_FORWARDING_EVENT_LOG_H_
