#include "server/log/memory_event_log.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "server/log/append_command.h"
#include "server/log/log_id.h"
#include "server/log/log_writer.h"
#include "server/log/memory_event_store.h"
#include "server/log/status_reason.h"
#include "server/log/trim_command.h"
#include "server/log/written_position_store.h"
#include "server/log/written_quarantine.h"

namespace refund_relay {

MemoryEventLog::MemoryEventLog(Options options)
    : options_(std::move(options)),
      log_id_(NewLogId()),
      position_table_(*options_.clock, /*rows=*/nullptr),
      quarantine_table_(quarantine_rows_, options_.max_quarantined_webhooks) {
  store_ = std::make_unique<MemoryEventStore>(*options_.clock, tail_,
                                              std::vector<CommitPart*>{&position_table_, &quarantine_table_});
  LogWriter::Options writer;
  writer.queue_limit_events = options_.limits.queue_limit_events;
  writer.queue_limit_bytes = options_.limits.queue_limit_bytes;
  writer.max_batch_events = options_.limits.max_batch_events;
  writer.max_batch_bytes = options_.limits.max_batch_bytes;
  writer.metrics = options_.metrics;
  writer_ = std::make_unique<LogWriter>(*store_, std::move(writer));
  positions_ = std::make_unique<WrittenPositionStore>(*writer_, position_table_);
  quarantine_ = std::make_unique<WrittenQuarantine>(
      *writer_, quarantine_table_, *store_,
      [this](const QuarantineQuery& query) { return quarantine_rows_.Read(query); });
}

MemoryEventLog::~MemoryEventLog() = default;

void MemoryEventLog::Append(NewEvent event, AppendDone done) {
  writer_->Submit(std::make_unique<AppendCommand>(*store_, options_.metrics, std::move(event), std::move(done)));
}

LogPosition MemoryEventLog::StartTail(TailVisitor visit) { return tail_.Start(std::move(visit)); }

absl::StatusOr<LogPosition> MemoryEventLog::Read(LogPosition after, const EventFilter& filter, const ReadLimits& limits,
                                                 absl::FunctionRef<void(const StoredEvent&)> visit) {
  const absl::StatusOr<MemoryEventStore::Records> records =
      store_->After(after, std::max<size_t>(limits.max_scanned, 1));
  if (!records.ok()) return records.status();
  LogPosition scanned_to = after;
  size_t matched = 0;
  size_t bytes = 0;
  for (const auto& record : *records) {
    if (scanned_to.sequence > after.sequence && matched >= limits.max_events) break;
    if (filter.Matches(record->event.event_name, record->event.client_id)) {
      if (matched > 0 && bytes + record->event.event.size() > limits.max_bytes) break;
      visit(record->View());
      ++matched;
      bytes += record->event.event.size();
    }
    scanned_to = LogPosition{record->sequence, EventHash(record->event.event_id)};
  }
  return scanned_to;
}

absl::StatusOr<LogPosition> MemoryEventLog::PositionAt(uint64_t sequence) { return store_->PositionAt(sequence); }

absl::StatusOr<LogPosition> MemoryEventLog::PositionBefore(absl::Time time) { return store_->PositionBefore(time); }

absl::StatusOr<absl::Time> MemoryEventLog::StoredAt(uint64_t sequence) {
  const absl::StatusOr<MemoryEventStore::Records> record =
      store_->After({std::max<uint64_t>(sequence, 1) - 1, 0}, /*limit=*/1);
  if (!record.ok()) return record.status();
  if (record->empty()) return PositionAheadError(sequence, sequence - 1);
  return record->front()->stored_at;
}

absl::StatusOr<FoundEvent> MemoryEventLog::Find(std::string_view event_id) {
  const absl::StatusOr<MemoryEventStore::RecordPtr> record = store_->Find(event_id);
  if (!record.ok()) return record.status();
  return FoundEvent{(*record)->sequence, (*record)->stored_at, (*record)->event.event};
}

absl::StatusOr<LogPosition> MemoryEventLog::FindByRefund(RefundIdKind which, std::string_view id, LogPosition after,
                                                         const ReadLimits& limits,
                                                         absl::FunctionRef<void(const StoredEvent&)> visit) {
  // A log in memory is small enough to be looked through.
  const absl::StatusOr<MemoryEventStore::Records> records = store_->After(after, std::numeric_limits<size_t>::max());
  if (!records.ok()) return records.status();
  LogPosition scanned_to = after;
  size_t matched = 0;
  size_t bytes = 0;
  for (const auto& record : *records) {
    const NewEvent& event = record->event;
    if ((which == RefundIdKind::kRefundId ? event.refund_id : event.payment_gateway_refund_id) == id) {
      if (matched > 0 && (matched >= limits.max_events || bytes + event.event.size() > limits.max_bytes)) break;
      visit(record->View());
      ++matched;
      bytes += event.event.size();
    }
    scanned_to = LogPosition{record->sequence, EventHash(event.event_id)};
  }
  return scanned_to;
}

void MemoryEventLog::Trim(TrimRequest request, TrimDone done) {
  writer_->Submit(std::make_unique<TrimCommand>(*store_, request, std::move(done)));
}

LogInfo MemoryEventLog::Info() {
  const LogEnds ends = tail_.ends();
  LogInfo info;
  info.log_id = log_id_;
  info.first_sequence = ends.first_sequence;
  info.last = ends.last;
  info.first_stored_at = ends.first_stored_at;
  info.last_stored_at = ends.last_stored_at;
  info.log_bytes = store_->bytes();
  info.queued_events = writer_->queued_events();
  info.queue_limit_events = options_.limits.queue_limit_events;
  info.queued_bytes = writer_->queued_bytes();
  info.queue_limit_bytes = options_.limits.queue_limit_bytes;
  return info;
}

absl::Status MemoryEventLog::Health() { return writer_->Health(); }

absl::Status MemoryEventLog::Close(absl::Time deadline) { return writer_->Close(deadline); }

}  // namespace refund_relay
