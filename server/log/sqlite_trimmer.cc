#include "server/log/sqlite_trimmer.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/log/read_errors.h"

namespace refund_relay {
namespace {

// Between two looks at the log's size while events are deleted because of it.
constexpr size_t kEventsBetweenSizes = 16;
// About what an id takes. Ids outlive events: if they counted, they alone would one day be more than the limit, and
// every event would be deleted as soon as the next one came.
constexpr uint64_t kBytesOfAnId = 64;

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteTrimmer>> SqliteTrimmer::Open(SqliteConnection& connection, LogTail& tail,
                                                                   RefundIndexWriter& index) {
  std::unique_ptr<SqliteTrimmer> trimmer(new SqliteTrimmer(connection, tail, index));
  const std::string scan =
      absl::StrCat("SELECT ", kEventColumns, " FROM events WHERE sequence > ?1 AND sequence <= ?2 ORDER BY sequence");
  const absl::Status prepared = connection.PrepareAll({
      {&trimmer->select_bounds_, kSelectBounds},
      {&trimmer->scan_, scan},
      {&trimmer->select_first_, "SELECT stored_at FROM events ORDER BY sequence LIMIT 1"},
      {&trimmer->delete_events_, "DELETE FROM events WHERE sequence <= ?1"},
      {&trimmer->update_bounds_,
       "UPDATE meta SET value = CASE key WHEN 'trimmed_sequence' THEN ?1 WHEN 'trimmed_event_hash' THEN ?2 ELSE ?3 END"
       " WHERE key IN ('trimmed_sequence', 'trimmed_event_hash', 'trimmed_stored_at')"},
      {&trimmer->select_mark_, "SELECT stored_at FROM trim_marks ORDER BY sequence DESC LIMIT 1"},
      {&trimmer->insert_mark_, "INSERT OR REPLACE INTO trim_marks (sequence, stored_at) VALUES (?1, ?2)"},
      {&trimmer->select_pages_,
       "SELECT (SELECT page_count FROM pragma_page_count), (SELECT freelist_count FROM pragma_freelist_count),"
       " (SELECT page_size FROM pragma_page_size)"},
      {&trimmer->select_forget_through_, "SELECT max(sequence) FROM trim_marks WHERE stored_at < ?1"},
      {&trimmer->select_forgotten_, "SELECT value FROM meta WHERE key = 'forgotten_sequence'"},
      {&trimmer->scan_ids_, "SELECT event_id, sequence FROM event_ids WHERE event_id > ?1 ORDER BY event_id LIMIT ?2"},
      {&trimmer->delete_id_, "DELETE FROM event_ids WHERE event_id = ?1"},
      {&trimmer->update_forgotten_, "UPDATE meta SET value = ?1 WHERE key = 'forgotten_sequence'"},
      {&trimmer->delete_marks_, "DELETE FROM trim_marks WHERE sequence < ?1"},
  });
  if (!prepared.ok()) return prepared;
  return trimmer;
}

absl::Status SqliteTrimmer::Trim(const TrimRequest& request, uint64_t last_sequence,
                                 absl::StatusOr<TrimOutcome>* outcome) {
  if (absl::Status begun = db_.Execute("SAVEPOINT trim"); !begun.ok()) return begun;
  const std::optional<Start> start_before = staged_start_;
  const std::optional<Walk> walk_before = staged_walk_;
  TrimOutcome trimmed;
  const absl::Status done = TrimInSavepoint(request, last_sequence, trimmed);
  if (done.ok()) {
    *outcome = std::move(trimmed);
    return db_.Execute("RELEASE trim");
  }
  if (!absl::IsDataLoss(done)) return done;
  // Webhooks of the same commit must not pay for a page that is damaged somewhere else.
  staged_start_ = start_before;
  staged_walk_ = walk_before;
  *outcome = done;
  return db_.Execute("ROLLBACK TO trim; RELEASE trim");
}

absl::Status SqliteTrimmer::TrimInSavepoint(const TrimRequest& request, uint64_t last_sequence, TrimOutcome& outcome) {
  if (absl::Status trimmed = TrimEvents(request, last_sequence, outcome); !trimmed.ok()) return trimmed;
  return ForgetIds(request, outcome);
}

absl::Status SqliteTrimmer::TrimEvents(const TrimRequest& request, uint64_t last_sequence, TrimOutcome& outcome) {
  absl::StatusOr<LogBounds> bounds = ScanBounds(select_bounds_);
  if (!bounds.ok()) return bounds.status();
  const uint64_t trimmed_before = bounds->trimmed.sequence;
  if (absl::Status deleted = DeleteEvents(request.stored_before, last_sequence, request.max_events, *bounds, outcome);
      !deleted.ok()) {
    return deleted;
  }
  while (request.max_bytes > 0 && outcome.events.size() < request.max_events &&
         bounds->trimmed.sequence + 1 < last_sequence) {
    const absl::StatusOr<uint64_t> used = UsedBytes(last_sequence);
    if (!used.ok()) return used.status();
    if (*used <= request.max_bytes) break;
    const size_t limit = std::min(kEventsBetweenSizes, request.max_events - outcome.events.size());
    // The newest event stays, however large.
    if (absl::Status deleted = DeleteEvents(absl::InfiniteFuture(), last_sequence - 1, limit, *bounds, outcome);
        !deleted.ok()) {
      return deleted;
    }
  }
  outcome.more = outcome.events.size() >= request.max_events;
  if (bounds->trimmed.sequence == trimmed_before) return absl::OkStatus();
  if (FullRefundBlocks(bounds->trimmed.sequence) != FullRefundBlocks(trimmed_before)) {
    if (absl::Status trimmed = index_.Trim(bounds->trimmed.sequence); !trimmed.ok()) return trimmed;
  }
  return WriteBounds(*bounds, request.mark_interval);
}

absl::Status SqliteTrimmer::DeleteEvents(absl::Time stored_before, uint64_t last_sequence, size_t limit,
                                         LogBounds& bounds, TrimOutcome& outcome) {
  const bool any_age = stored_before == absl::InfiniteFuture();
  const int64_t before = CeilToUnixMicros(stored_before);
  std::vector<TrimmedEvent> taken;
  size_t sure = 0;  // of `taken`, those before and up to the last that may go
  LogBounds after = bounds;
  {
    StatementReset reset(scan_);
    scan_.BindInt(1, static_cast<int64_t>(bounds.trimmed.sequence));
    scan_.BindInt(2, static_cast<int64_t>(last_sequence));
    while (taken.size() < limit) {
      const absl::StatusOr<bool> row = scan_.Step();
      if (!row.ok()) return row.status();
      if (!*row) break;
      const ScannedRecord scanned = ScanRecord(scan_);
      const EventRecord& record = scanned.record;
      if (scanned.intact && !any_age && record.stored_at_micros >= before) break;
      taken.push_back({record.sequence, "", ""});
      if (!scanned.intact && !any_age) continue;  // its age is that of the next
      sure = taken.size();
      after.trimmed = {record.sequence, 0};
      if (!scanned.intact) continue;
      taken.back().event_name = record.event_name;
      taken.back().client_id = record.client_id;
      after.trimmed.event_hash = EventHash(record.event_id);
      after.trimmed_stored_at_micros = std::max(after.trimmed_stored_at_micros, record.stored_at_micros);
    }
  }
  if (sure == 0) {
    // More damaged records in a row than a step takes would stop retention for ever.
    if (taken.size() < limit || limit == 0) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat("the ", taken.size(), " oldest events, from sequence ",
                                            taken.front().sequence, " on, are all damaged"));
  }
  taken.resize(sure);
  delete_events_.BindInt(1, static_cast<int64_t>(after.trimmed.sequence));
  if (absl::Status deleted = delete_events_.Run(); !deleted.ok()) return deleted;
  bounds = after;
  std::move(taken.begin(), taken.end(), std::back_inserter(outcome.events));
  return absl::OkStatus();
}

absl::Status SqliteTrimmer::WriteBounds(const LogBounds& bounds, absl::Duration mark_interval) {
  update_bounds_.BindInt(1, static_cast<int64_t>(bounds.trimmed.sequence));
  update_bounds_.BindInt(2, static_cast<int64_t>(bounds.trimmed.event_hash));
  update_bounds_.BindInt(3, bounds.trimmed_stored_at_micros);
  if (absl::Status updated = update_bounds_.Run(); !updated.ok()) return updated;

  bool mark = true;
  {
    StatementReset reset(select_mark_);
    const absl::StatusOr<bool> row = select_mark_.Step();
    if (!row.ok()) return row.status();
    if (*row) {
      mark = absl::Microseconds(bounds.trimmed_stored_at_micros) >=
             absl::Microseconds(select_mark_.Int(0)) + mark_interval;
    }
  }
  if (mark) {
    insert_mark_.BindInt(1, static_cast<int64_t>(bounds.trimmed.sequence));
    insert_mark_.BindInt(2, bounds.trimmed_stored_at_micros);
    if (absl::Status inserted = insert_mark_.Run(); !inserted.ok()) return inserted;
  }

  StatementReset reset(select_first_);
  const absl::StatusOr<bool> row = select_first_.Step();
  if (!row.ok()) return row.status();
  staged_start_ = Start{bounds.first_sequence(), std::nullopt};
  if (*row) staged_start_->first_stored_at = absl::FromUnixMicros(select_first_.Int(0));
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> SqliteTrimmer::UsedBytes(uint64_t last_sequence) {
  const absl::StatusOr<uint64_t> forgotten = Forgotten();
  if (!forgotten.ok()) return forgotten.status();
  StatementReset reset(select_pages_);
  if (const absl::StatusOr<bool> row = select_pages_.Step(); !row.ok()) return row.status();
  const auto pages = static_cast<uint64_t>((select_pages_.Int(0) - select_pages_.Int(1)) * select_pages_.Int(2));
  return pages - std::min(pages, (last_sequence - *forgotten) * kBytesOfAnId);
}

absl::StatusOr<uint64_t> SqliteTrimmer::Forgotten() {
  StatementReset reset(select_forgotten_);
  if (const absl::StatusOr<bool> row = select_forgotten_.Step(); !row.ok()) return row.status();
  return static_cast<uint64_t>(select_forgotten_.Int(0));
}

absl::StatusOr<uint64_t> SqliteTrimmer::ForgetThrough(absl::Time forget_before) {
  StatementReset reset(select_forget_through_);
  select_forget_through_.BindInt(1, CeilToUnixMicros(forget_before));
  if (const absl::StatusOr<bool> row = select_forget_through_.Step(); !row.ok()) return row.status();
  return static_cast<uint64_t>(select_forget_through_.Int(0));  // NULL is 0
}

absl::Status SqliteTrimmer::ForgetIds(const TrimRequest& request, TrimOutcome& outcome) {
  if (!staged_walk_.has_value()) {
    if (request.forget_before == absl::InfinitePast()) return absl::OkStatus();
    const absl::StatusOr<uint64_t> through = ForgetThrough(request.forget_before);
    if (!through.ok()) return through.status();
    const absl::StatusOr<uint64_t> forgotten = Forgotten();
    if (!forgotten.ok()) return forgotten.status();
    if (*through <= *forgotten) return absl::OkStatus();
    staged_walk_ = Walk{"", *through};
  }
  std::vector<std::string> forget;
  size_t looked_at = 0;
  {
    StatementReset reset(scan_ids_);
    const std::string after = staged_walk_->last_event_id;
    scan_ids_.BindText(1, after);
    scan_ids_.BindInt(2, static_cast<int64_t>(request.max_events));
    for (;; ++looked_at) {
      const absl::StatusOr<bool> row = scan_ids_.Step();
      if (!row.ok()) return row.status();
      if (!*row) break;
      staged_walk_->last_event_id = scan_ids_.Bytes(0);
      if (static_cast<uint64_t>(scan_ids_.Int(1)) <= staged_walk_->through) {
        forget.push_back(staged_walk_->last_event_id);
      }
    }
  }
  for (const std::string& event_id : forget) {
    delete_id_.BindText(1, event_id);
    if (absl::Status deleted = delete_id_.Run(); !deleted.ok()) return deleted;
  }
  outcome.forgotten_ids = forget.size();
  if (looked_at >= request.max_events) {
    outcome.more = true;
    return absl::OkStatus();
  }
  const Walk ended = *std::exchange(staged_walk_, std::nullopt);
  return EndWalk(ended);
}

absl::Status SqliteTrimmer::EndWalk(const Walk& walk) {
  update_forgotten_.BindInt(1, static_cast<int64_t>(walk.through));
  if (absl::Status updated = update_forgotten_.Run(); !updated.ok()) return updated;
  // The mark itself stays: the next one keeps its distance from it, so that walks do too.
  delete_marks_.BindInt(1, static_cast<int64_t>(walk.through));
  return delete_marks_.Run();
}

void SqliteTrimmer::Published() {
  walk_ = staged_walk_;
  if (staged_start_.has_value()) tail_.Trim(staged_start_->first_sequence, staged_start_->first_stored_at);
  staged_start_.reset();
}

void SqliteTrimmer::RolledBack() {
  staged_walk_ = walk_;
  staged_start_.reset();
}

}  // namespace refund_relay
