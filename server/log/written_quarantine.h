// WrittenQuarantine: the Quarantine of a log that has a LogWriter.
#ifndef REFUND_RELAY_SERVER_LOG_WRITTEN_QUARANTINE_H_
#define REFUND_RELAY_SERVER_LOG_WRITTEN_QUARANTINE_H_

#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include "server/log/append_command.h"
#include "server/log/log_writer.h"
#include "server/log/quarantine.h"
#include "server/log/quarantine_table.h"

namespace refund_relay {

class WrittenQuarantine final : public Quarantine {
 public:
  using ReadFunction = std::function<absl::StatusOr<std::vector<QuarantinedWebhook>>(const QuarantineQuery&)>;

  // All must outlive the quarantine; `table` is a part of what the writer commits. `read` reads what is committed.
  WrittenQuarantine(LogWriter& writer, QuarantineTable& table, EventAppender& appender, ReadFunction read)
      : writer_(writer), table_(table), appender_(appender), read_(std::move(read)) {}

  void Add(NewQuarantinedWebhook webhook, AddDone done) override;
  void Promote(std::string_view quarantine_id, NewEvent event, EventLog::AppendDone done) override;
  void Discard(std::string_view quarantine_id, DiscardDone done) override;
  absl::StatusOr<std::vector<QuarantinedWebhook>> Read(const QuarantineQuery& query) override { return read_(query); }
  QuarantineInfo Info() override { return table_.Info(); }

 private:
  LogWriter& writer_;
  QuarantineTable& table_;
  EventAppender& appender_;
  const ReadFunction read_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_WRITTEN_QUARANTINE_H_
