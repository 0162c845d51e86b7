#include "server/log/sqlite_event_store.h"

#include <sqlite3.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/ops/logging.h"

namespace refund_relay {
namespace {

// How long a commit waits for a writer in another process (an sqlite3 shell, for example).
constexpr absl::Duration kWriteLockWait = absl::Seconds(2);
constexpr int64_t kWalFrameBytes = 4096 + 24;

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteEventStore>> SqliteEventStore::Create(SqliteConnection connection,
                                                                           const Clock& clock, LogTail& tail,
                                                                           std::function<void()> committed) {
  std::unique_ptr<SqliteEventStore> store(
      new SqliteEventStore(std::move(connection), clock, tail, std::move(committed)));
  if (absl::Status prepared = store->Prepare(); !prepared.ok()) return prepared;
  if (absl::Status found = store->FindEnds(); !found.ok()) return found;
  if (absl::Status opened = store->OpenParts(); !opened.ok()) return opened;
  const auto record_frames = [](void* wal, sqlite3*, const char*, int frames) {
    *static_cast<Wal*>(wal) = {frames * kWalFrameBytes, true};
    return SQLITE_OK;
  };
  sqlite3_wal_hook(store->db_.handle(), record_frames, &store->wal_);
  store->db_.SetBusyTimeout(kWriteLockWait);
  return store;
}

absl::Status SqliteEventStore::Prepare() {
  const std::string insert_event =
      absl::StrCat("INSERT INTO events (", kEventColumns, ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
  return db_.PrepareAll({
      {&begin_, "BEGIN IMMEDIATE"},
      {&commit_, "COMMIT"},
      {&insert_id_, "INSERT INTO event_ids (event_id, sequence) VALUES (?1, ?2) ON CONFLICT DO NOTHING"},
      {&select_id_, "SELECT sequence FROM event_ids WHERE event_id = ?1"},
      {&insert_event_, insert_event},
      {&probe_, "INSERT INTO meta (key, value) VALUES ('last_probe', ?1) ON CONFLICT DO UPDATE SET value = ?1"},
  });
}

absl::Status SqliteEventStore::FindEnds() {
  absl::StatusOr<SqliteStatement> select_bounds = db_.Prepare(kSelectBounds);
  if (!select_bounds.ok()) return select_bounds.status();
  const absl::StatusOr<LogBounds> bounds = ScanBounds(*select_bounds);
  if (!bounds.ok()) return bounds.status();

  LogEnds ends;
  ends.first_sequence = bounds->first_sequence();
  ends.last = bounds->trimmed;
  last_sequence_ = bounds->last_sequence;
  last_stored_at_micros_ = bounds->trimmed_stored_at_micros;
  if (bounds->trimmed.sequence > 0) ends.last_stored_at = absl::FromUnixMicros(bounds->trimmed_stored_at_micros);

  // A damaged record's time must not become the floor of every later one, so the ends' times come from intact records.
  absl::StatusOr<SqliteStatement> newest =
      db_.Prepare(absl::StrCat("SELECT ", kEventColumns, " FROM events ORDER BY sequence DESC"));
  if (!newest.ok()) return newest.status();
  for (auto row = newest->Step();; row = newest->Step()) {
    if (!row.ok()) return row.status();
    if (!*row) break;
    const ScannedRecord scanned = ScanRecord(*newest);
    if (!scanned.intact) {
      Log(LogLevel::kError, "a record at the end of the log is damaged", {{"sequence", scanned.record.sequence}});
      continue;
    }
    const bool is_last = scanned.record.sequence == last_sequence_;
    ends.last = LogPosition{last_sequence_, is_last ? EventHash(scanned.record.event_id) : 0};
    last_stored_at_micros_ = scanned.record.stored_at_micros;
    ends.last_stored_at = absl::FromUnixMicros(last_stored_at_micros_);
    break;
  }
  if (ends.last.sequence != last_sequence_) ends.last = LogPosition{last_sequence_, 0};
  newest->Reset();

  absl::StatusOr<SqliteStatement> oldest =
      db_.Prepare("SELECT sequence, stored_at FROM events ORDER BY sequence LIMIT 1");
  if (!oldest.ok()) return oldest.status();
  const absl::StatusOr<bool> row = oldest->Step();
  if (!row.ok()) return row.status();
  if (*row) {
    ends.first_stored_at = absl::FromUnixMicros(oldest->Int(1));
    if (static_cast<uint64_t>(oldest->Int(0)) != ends.first_sequence) {
      Log(LogLevel::kError,
          "events are missing at the start of the log that retention did not delete; restore a backup",
          {{"first_sequence", ends.first_sequence}, {"first_found", static_cast<uint64_t>(oldest->Int(0))}});
    }
  }
  tail_.Reset(ends);
  return absl::OkStatus();
}

absl::Status SqliteEventStore::OpenParts() {
  absl::StatusOr<std::unique_ptr<RefundIndexWriter>> index = RefundIndexWriter::Open(db_, last_sequence_);
  if (!index.ok()) return index.status();
  refund_index_ = *std::move(index);
  AddPart(*refund_index_);
  absl::StatusOr<std::unique_ptr<SqliteTrimmer>> trimmer = SqliteTrimmer::Open(db_, tail_, *refund_index_);
  if (!trimmer.ok()) return trimmer.status();
  trimmer_ = *std::move(trimmer);
  AddPart(*trimmer_);
  return absl::OkStatus();
}

absl::Status SqliteEventStore::Begin() {
  staged_.clear();
  for (CommitPart* const part : parts_) part->RolledBack();
  // Never falling, whatever the clock does.
  now_micros_ = std::max(absl::ToUnixMicros(clock_.Now()), last_stored_at_micros_);
  return begin_.Run();
}

absl::StatusOr<AppendOutcome> SqliteEventStore::Append(const NewEvent& event) {
  const uint64_t sequence = last_sequence_ + staged_.size() + 1;
  insert_id_.BindText(1, event.event_id);
  insert_id_.BindInt(2, static_cast<int64_t>(sequence));
  if (absl::Status inserted = insert_id_.Run(); !inserted.ok()) return inserted;
  if (db_.Changes() == 0) {
    StatementReset reset(select_id_);
    select_id_.BindText(1, event.event_id);
    const absl::StatusOr<bool> row = select_id_.Step();
    if (!row.ok()) return row.status();
    return AppendOutcome{static_cast<uint64_t>(select_id_.Int(0)), true};
  }
  const EventRecord record{sequence,
                           now_micros_,
                           event.event_id,
                           event.event_name,
                           event.client_id,
                           event.refund_id,
                           event.payment_gateway_refund_id,
                           event.event};
  BindRecord(insert_event_, record);
  if (absl::Status inserted = insert_event_.Run(); !inserted.ok()) return inserted;
  if (absl::Status indexed = refund_index_->Add(sequence, event.refund_id, event.payment_gateway_refund_id);
      !indexed.ok()) {
    return indexed;
  }
  staged_.push_back(record.View());
  return AppendOutcome{sequence, false};
}

absl::Status SqliteEventStore::Commit() {
  absl::Status committed;
  int code = SQLITE_OK;
  {
    StatementReset reset(commit_);
    committed = commit_.Step().status();
    code = sqlite3_errcode(db_.handle()) & 0xff;
  }
  if (committed.ok()) {
    last_sequence_ += staged_.size();
    if (!staged_.empty()) last_stored_at_micros_ = now_micros_;
    return committed;
  }
  // A disk that is full shows while the frames are written, before the last one that would make the commit valid; a
  // lock that is not free, before all of them. After anything else nobody knows what the disk holds.
  if (code == SQLITE_FULL || code == SQLITE_BUSY) return committed;
  return absl::AbortedError(committed.message());
}

absl::Status SqliteEventStore::Rollback() {
  staged_.clear();
  for (CommitPart* const part : parts_) part->RolledBack();
  if (!db_.InTransaction()) return absl::OkStatus();  // SQLite has rolled back by itself
  const absl::Status rolled_back = db_.Execute("ROLLBACK");
  if (db_.InTransaction()) return absl::AbortedError(rolled_back.message());
  return absl::OkStatus();
}

void SqliteEventStore::Published() {
  for (CommitPart* const part : parts_) part->Published();
  if (!staged_.empty()) tail_.Publish(staged_);
  staged_.clear();
  if (std::exchange(wal_.grew, false)) committed_();
}

absl::Status SqliteEventStore::Maintain() {
  if (wal_.bytes < restart_at_bytes_) return absl::OkStatus();
  return RestartWal();
}

absl::Status SqliteEventStore::RestartWal() {
  // With a reader in the way a busy time-out would be waited out in full, with every append behind it.
  db_.SetBusyTimeout(absl::ZeroDuration());
  const absl::StatusOr<bool> done = db_.Checkpoint(CheckpointMode::kRestart);
  db_.SetBusyTimeout(kWriteLockWait);
  if (done.ok() && *done) {
    wal_.bytes = 0;
    restart_at_bytes_ = kRestartWalBytes;
  } else {
    restart_at_bytes_ = std::max(wal_.bytes + kRestartRetryBytes, kRestartWalBytes);
  }
  return done.status();
}

absl::Status SqliteEventStore::Probe() {
  // A full disk may still take what the write-ahead log holds, which makes room in it.
  if (absl::Status restarted = RestartWal(); absl::IsAborted(restarted)) return restarted;
  if (absl::Status begun = Begin(); !begun.ok()) return begun;
  probe_.BindInt(1, absl::ToUnixMicros(clock_.Now()));
  if (absl::Status written = probe_.Run(); !written.ok()) return written;
  return Commit();
}

absl::Status SqliteEventStore::Shrink() {
  db_.SetBusyTimeout(absl::ZeroDuration());
  return db_.Checkpoint(CheckpointMode::kTruncate).status();
}

}  // namespace refund_relay
