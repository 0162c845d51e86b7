#include "server/log/memory_event_store.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "server/log/read_errors.h"
#include "server/log/status_reason.h"

namespace refund_relay {

absl::StatusOr<AppendOutcome> MemoryEventStore::Append(const NewEvent& event) {
  uint64_t next = 0;
  {
    absl::MutexLock lock(&mu_);
    next = last_sequence() + staged_.size() + 1;
  }
  const auto [found, is_new] = sequences_.try_emplace(event.event_id, next);
  if (!is_new) return AppendOutcome{found->second, true};
  staged_.push_back(std::make_shared<const Record>(Record{next, now_, event}));
  return AppendOutcome{next, false};
}

absl::Status MemoryEventStore::Trim(const TrimRequest& request, absl::StatusOr<TrimOutcome>* outcome) {
  TrimOutcome trimmed;
  absl::MutexLock lock(&mu_);
  size_t bytes = bytes_;
  for (size_t i = 0; i < staged_trim_; ++i) bytes -= records_[i]->bytes();
  while (trimmed.events.size() < request.max_events && staged_trim_ < records_.size()) {
    const Record& oldest = *records_[staged_trim_];
    const bool is_newest = staged_trim_ + 1 == records_.size();
    const bool is_too_much = request.max_bytes > 0 && bytes > request.max_bytes && !is_newest;
    if (oldest.stored_at >= request.stored_before && !is_too_much) break;
    trimmed.events.push_back({oldest.sequence, oldest.event.event_name, oldest.event.client_id});
    bytes -= oldest.bytes();
    ++staged_trim_;
  }
  while (trimmed.forgotten_ids < request.max_events && staged_forget_ < expired_ids_.size() &&
         expired_ids_[staged_forget_].stored_at < request.forget_before) {
    ++staged_forget_;
    ++trimmed.forgotten_ids;
  }
  trimmed.more = trimmed.events.size() >= request.max_events || trimmed.forgotten_ids >= request.max_events;
  *outcome = std::move(trimmed);
  return absl::OkStatus();
}

absl::Status MemoryEventStore::Begin() {
  now_ = std::max(absl::FromUnixMicros(absl::ToUnixMicros(clock_.Now())), now_);
  return absl::OkStatus();
}

void MemoryEventStore::ApplyTrim() {
  for (; staged_forget_ > 0; --staged_forget_) {
    sequences_.erase(expired_ids_.front().event_id);
    committed_sequences_.erase(expired_ids_.front().event_id);
    expired_ids_.pop_front();
  }
  for (; staged_trim_ > 0; --staged_trim_) {
    const Record& oldest = *records_.front();
    trimmed_ = {oldest.sequence, EventHash(oldest.event.event_id)};
    trimmed_stored_at_ = oldest.stored_at;
    expired_ids_.push_back({oldest.event.event_id, oldest.stored_at});
    bytes_ -= oldest.bytes();
    records_.pop_front();
  }
}

absl::Status MemoryEventStore::Commit() {
  absl::MutexLock lock(&mu_);
  ApplyTrim();
  for (const RecordPtr& record : staged_) {
    records_.push_back(record);
    bytes_ += record->bytes();
    committed_sequences_.emplace(record->event.event_id, record->sequence);
  }
  return absl::OkStatus();
}

absl::Status MemoryEventStore::Rollback() {
  for (const RecordPtr& record : staged_) sequences_.erase(record->event.event_id);
  staged_.clear();
  staged_trim_ = staged_forget_ = 0;
  for (CommitPart* const part : parts_) part->RolledBack();
  return absl::OkStatus();
}

void MemoryEventStore::Published() {
  for (CommitPart* const part : parts_) part->Published();
  uint64_t first_sequence = 0;
  std::optional<absl::Time> first_stored_at;
  {
    absl::MutexLock lock(&mu_);
    first_sequence = trimmed_.sequence + 1;
    if (!records_.empty()) first_stored_at = records_.front()->stored_at;
  }
  tail_.Trim(first_sequence, first_stored_at);
  std::vector<StoredEvent> events;
  events.reserve(staged_.size());
  for (const RecordPtr& record : staged_) events.push_back(record->View());
  tail_.Publish(events);
  staged_.clear();
}

size_t MemoryEventStore::bytes() {
  absl::MutexLock lock(&mu_);
  return bytes_;
}

absl::Status MemoryEventStore::Check(uint64_t sequence) const {
  return CheckPosition(sequence, trimmed_.sequence + 1, last_sequence());
}

uint64_t MemoryEventStore::HashAt(uint64_t sequence) const {
  if (sequence <= trimmed_.sequence) return trimmed_.event_hash;
  return EventHash(records_[sequence - trimmed_.sequence - 1]->event.event_id);
}

absl::StatusOr<MemoryEventStore::Records> MemoryEventStore::After(LogPosition position, size_t limit) {
  absl::MutexLock lock(&mu_);
  if (absl::Status valid = Check(position.sequence); !valid.ok()) return valid;
  if (position.event_hash != 0 && position.sequence != 0 && HashAt(position.sequence) != position.event_hash) {
    return PositionMismatchError(position.sequence);
  }
  const size_t begin = position.sequence - trimmed_.sequence;
  const size_t count = std::min(limit, records_.size() - begin);
  const auto first = records_.begin() + static_cast<std::ptrdiff_t>(begin);
  return Records(first, first + static_cast<std::ptrdiff_t>(count));
}

absl::StatusOr<LogPosition> MemoryEventStore::PositionAt(uint64_t sequence) {
  absl::MutexLock lock(&mu_);
  if (absl::Status valid = Check(sequence); !valid.ok()) return valid;
  return LogPosition{sequence, HashAt(sequence)};
}

absl::StatusOr<LogPosition> MemoryEventStore::PositionBefore(absl::Time time) {
  absl::MutexLock lock(&mu_);
  if (trimmed_.sequence > 0 && time <= trimmed_stored_at_) return TimeExpiredError(time, trimmed_.sequence + 1);
  const auto first = std::partition_point(records_.begin(), records_.end(),
                                          [time](const RecordPtr& record) { return record->stored_at < time; });
  const uint64_t sequence = trimmed_.sequence + static_cast<uint64_t>(std::distance(records_.begin(), first));
  return LogPosition{sequence, HashAt(sequence)};
}

absl::StatusOr<MemoryEventStore::RecordPtr> MemoryEventStore::Find(std::string_view event_id) {
  absl::MutexLock lock(&mu_);
  const auto found = committed_sequences_.find(std::string(event_id));
  if (found == committed_sequences_.end()) return EventUnknownError();
  if (found->second <= trimmed_.sequence) return EventExpiredError(found->second);
  return records_[found->second - trimmed_.sequence - 1];
}

}  // namespace refund_relay
