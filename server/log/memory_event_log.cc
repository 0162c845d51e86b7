#include "server/log/memory_event_log.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "server/log/append_command.h"
#include "server/log/log_id.h"
#include "server/log/log_writer.h"
#include "server/log/read_errors.h"
#include "server/log/status_reason.h"
#include "server/log/written_position_store.h"
#include "server/log/written_quarantine.h"

namespace refund_relay {

// The events, and the transaction that adds to them. The writer's thread adds, any thread reads.
class MemoryEventStore final : public CommitStore, public EventAppender {
 public:
  struct Record {
    uint64_t sequence;
    absl::Time stored_at;
    NewEvent event;

    StoredEvent View() const {
      return StoredEvent{sequence, stored_at, event.event_id, event.event_name, event.client_id, event.event};
    }
  };
  using RecordPtr = std::shared_ptr<const Record>;

  MemoryEventStore(const Clock& clock, LogTail& tail, std::vector<CommitPart*> parts)
      : clock_(clock), tail_(tail), parts_(std::move(parts)) {}

  absl::StatusOr<AppendOutcome> Append(const NewEvent& event) override {
    const auto [found, is_new] = sequences_.try_emplace(event.event_id, last_sequence_ + staged_.size() + 1);
    if (!is_new) return AppendOutcome{found->second, true};
    staged_.push_back(std::make_shared<const Record>(Record{found->second, now_, event}));
    return AppendOutcome{found->second, false};
  }

  absl::Status Begin() override {
    now_ = std::max(absl::FromUnixMicros(absl::ToUnixMicros(clock_.Now())), now_);
    return absl::OkStatus();
  }

  absl::Status Commit() override {
    absl::MutexLock lock(&mu_);
    for (const RecordPtr& record : staged_) {
      records_.push_back(record);
      committed_sequences_.emplace(record->event.event_id, record->sequence);
    }
    last_sequence_ = records_.size();
    return absl::OkStatus();
  }

  absl::Status Rollback() override {
    for (const RecordPtr& record : staged_) sequences_.erase(record->event.event_id);
    staged_.clear();
    for (CommitPart* const part : parts_) part->RolledBack();
    return absl::OkStatus();
  }

  void Published() override {
    for (CommitPart* const part : parts_) part->Published();
    std::vector<StoredEvent> events;
    events.reserve(staged_.size());
    for (const RecordPtr& record : staged_) events.push_back(record->View());
    tail_.Publish(events);
    staged_.clear();
  }

  uint64_t last_sequence() {
    absl::MutexLock lock(&mu_);
    return records_.size();
  }

  // The events after `sequence`, at most `limit` of them.
  std::vector<RecordPtr> After(uint64_t sequence, size_t limit) {
    absl::MutexLock lock(&mu_);
    const size_t begin = std::min<size_t>(sequence, records_.size());
    const size_t count = std::min(limit, records_.size() - begin);
    const auto first = records_.begin() + static_cast<std::ptrdiff_t>(begin);
    return std::vector<RecordPtr>(first, first + static_cast<std::ptrdiff_t>(count));
  }

  // The hash at `sequence`, 0 where there is none.
  uint64_t HashAt(uint64_t sequence) {
    if (sequence == 0) return 0;
    const std::vector<RecordPtr> record = After(sequence - 1, 1);
    return record.empty() ? 0 : EventHash(record.front()->event.event_id);
  }

  uint64_t LastBefore(absl::Time time) {
    absl::MutexLock lock(&mu_);
    const auto first = std::partition_point(records_.begin(), records_.end(),
                                            [time](const RecordPtr& record) { return record->stored_at < time; });
    return static_cast<uint64_t>(std::distance(records_.begin(), first));
  }

  RecordPtr Find(std::string_view event_id) {
    absl::MutexLock lock(&mu_);
    const auto found = committed_sequences_.find(std::string(event_id));
    return found == committed_sequences_.end() ? nullptr : records_[found->second - 1];
  }

 private:
  const Clock& clock_;
  LogTail& tail_;
  const std::vector<CommitPart*> parts_;

  // Of the writer's thread.
  absl::flat_hash_map<std::string, uint64_t> sequences_;
  std::vector<RecordPtr> staged_;
  uint64_t last_sequence_ = 0;
  absl::Time now_ = absl::InfinitePast();

  absl::Mutex mu_;
  std::deque<RecordPtr> records_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, uint64_t> committed_sequences_ ABSL_GUARDED_BY(mu_);
};

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
  if (absl::Status valid = CheckPosition(after.sequence, 1, store_->last_sequence()); !valid.ok()) return valid;
  if (after.event_hash != 0 && after.sequence != 0 && store_->HashAt(after.sequence) != after.event_hash) {
    return PositionMismatchError(after.sequence);
  }
  LogPosition scanned_to = after;
  size_t matched = 0;
  size_t bytes = 0;
  for (const auto& record : store_->After(after.sequence, std::max<size_t>(limits.max_scanned, 1))) {
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

absl::StatusOr<LogPosition> MemoryEventLog::PositionAt(uint64_t sequence) {
  if (absl::Status valid = CheckPosition(sequence, 1, store_->last_sequence()); !valid.ok()) return valid;
  return LogPosition{sequence, store_->HashAt(sequence)};
}

absl::StatusOr<LogPosition> MemoryEventLog::PositionBefore(absl::Time time) {
  const uint64_t sequence = store_->LastBefore(time);
  return LogPosition{sequence, store_->HashAt(sequence)};
}

absl::StatusOr<absl::Time> MemoryEventLog::StoredAt(uint64_t sequence) {
  const auto record = store_->After(std::max<uint64_t>(sequence, 1) - 1, 1);
  if (record.empty()) return PositionAheadError(sequence, store_->last_sequence());
  return record.front()->stored_at;
}

absl::StatusOr<FoundEvent> MemoryEventLog::Find(std::string_view event_id) {
  const auto record = store_->Find(event_id);
  if (record == nullptr) return EventUnknownError();
  return FoundEvent{record->sequence, record->stored_at, record->event.event};
}

LogInfo MemoryEventLog::Info() {
  const LogEnds ends = tail_.ends();
  LogInfo info;
  info.log_id = log_id_;
  info.first_sequence = ends.first_sequence;
  info.last = ends.last;
  info.first_stored_at = ends.first_stored_at;
  info.last_stored_at = ends.last_stored_at;
  info.queued_events = writer_->queued_events();
  info.queue_limit_events = options_.limits.queue_limit_events;
  return info;
}

absl::Status MemoryEventLog::Health() { return writer_->Health(); }

absl::Status MemoryEventLog::Close(absl::Time deadline) { return writer_->Close(deadline); }

}  // namespace refund_relay
