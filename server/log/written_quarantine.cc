#include "server/log/written_quarantine.h"

#include <memory>
#include <string>

namespace refund_relay {
namespace {

class AddCommand final : public WriteCommand {
 public:
  AddCommand(QuarantineTable& table, NewQuarantinedWebhook webhook, Quarantine::AddDone done)
      : table_(table), webhook_(std::move(webhook)), done_(std::move(done)) {}

  absl::Status Execute() override { return table_.Add(webhook_, &outcome_); }
  void Answer(const absl::Status& status) override { status.ok() ? done_(std::move(outcome_)) : done_(status); }
  size_t bytes() const override { return sizeof(*this) + webhook_.body.size() + webhook_.detail.size(); }

 private:
  QuarantineTable& table_;
  const NewQuarantinedWebhook webhook_;
  Quarantine::AddDone done_;
  absl::StatusOr<QuarantineOutcome> outcome_ = QuarantineOutcome();
};

class PromoteCommand final : public WriteCommand {
 public:
  PromoteCommand(QuarantineTable& table, EventAppender& appender, std::string_view id, NewEvent event,
                 EventLog::AppendDone done)
      : table_(table), appender_(appender), id_(id), event_(std::move(event)), done_(std::move(done)) {}

  absl::Status Execute() override { return table_.Promote(id_, event_, appender_, &outcome_); }
  void Answer(const absl::Status& status) override { status.ok() ? done_(std::move(outcome_)) : done_(status); }
  size_t events() const override { return 1; }
  size_t bytes() const override { return sizeof(*this) + event_.event.size(); }

 private:
  QuarantineTable& table_;
  EventAppender& appender_;
  const std::string id_;
  const NewEvent event_;
  EventLog::AppendDone done_;
  absl::StatusOr<AppendOutcome> outcome_ = AppendOutcome();
};

class DiscardCommand final : public WriteCommand {
 public:
  DiscardCommand(QuarantineTable& table, std::string_view id, Quarantine::DiscardDone done)
      : table_(table), id_(id), done_(std::move(done)) {}

  absl::Status Execute() override { return table_.Discard(id_, &was_there_); }
  void Answer(const absl::Status& status) override { status.ok() ? done_(was_there_) : done_(status); }
  size_t bytes() const override { return sizeof(*this) + id_.size(); }

 private:
  QuarantineTable& table_;
  const std::string id_;
  Quarantine::DiscardDone done_;
  bool was_there_ = false;
};

}  // namespace

void WrittenQuarantine::Add(NewQuarantinedWebhook webhook, AddDone done) {
  writer_.Submit(std::make_unique<AddCommand>(table_, std::move(webhook), std::move(done)));
}

void WrittenQuarantine::Promote(std::string_view quarantine_id, NewEvent event, EventLog::AppendDone done) {
  writer_.Submit(std::make_unique<PromoteCommand>(table_, appender_, quarantine_id, std::move(event), std::move(done)));
}

void WrittenQuarantine::Discard(std::string_view quarantine_id, DiscardDone done) {
  writer_.Submit(std::make_unique<DiscardCommand>(table_, quarantine_id, std::move(done)));
}

}  // namespace refund_relay
