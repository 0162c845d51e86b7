#include "server/log/sqlite_event_reader.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/log/read_errors.h"
#include "server/log/refund_index.h"
#include "server/log/status_reason.h"

namespace refund_relay {

namespace {

// Readers wait for no writer; only for another process that locks the whole database for a moment.
constexpr absl::Duration kReadLockWait = absl::Seconds(2);
// Blocks that one look-up by refund reads at most, four million events; what more there is is left to the next.
constexpr uint64_t kMaxBlocksPerLookUp = 4096;

}  // namespace

// A read transaction, from construction to the end of the scope.
class Snapshot {
 public:
  explicit Snapshot(SqliteEventReader& reader) : reader_(reader), status_(reader.begin_.Run()) {}
  ~Snapshot() {
    reader_.scan_.Reset();
    reader_.end_.Run().IgnoreError();  // nothing was written; where BEGIN failed there is nothing to end
  }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  absl::StatusOr<LogBounds> Bounds() {
    if (!status_.ok()) return status_;
    return ScanBounds(reader_.select_bounds_);
  }

 private:
  SqliteEventReader& reader_;
  const absl::Status status_;
};

absl::StatusOr<std::unique_ptr<SqliteEventReader>> SqliteEventReader::Open(const std::string& path,
                                                                           const std::string& vfs) {
  absl::StatusOr<SqliteConnection> connection = SqliteConnection::Open(path, vfs);
  if (!connection.ok()) return connection.status();
  std::unique_ptr<SqliteEventReader> reader(new SqliteEventReader(*std::move(connection)));
  if (absl::Status prepared = reader->Prepare(); !prepared.ok()) return prepared;
  return reader;
}

absl::Status SqliteEventReader::Prepare() {
  if (absl::Status set = db_.Execute("PRAGMA query_only = 1"); !set.ok()) return set;
  db_.SetBusyTimeout(kReadLockWait);
  const std::string scan = absl::StrCat("SELECT ", kEventColumns, " FROM events WHERE sequence > ?1 ORDER BY sequence");
  const absl::Status prepared = db_.PrepareAll({
      {&begin_, "BEGIN"},
      {&end_, "COMMIT"},
      {&select_bounds_, kSelectBounds},
      {&scan_, scan},
      {&select_id_, "SELECT sequence FROM event_ids WHERE event_id = ?1"},
      {&select_bucket_, "SELECT entries FROM refund_index WHERE block = ?1 AND bucket = ?2"},
      {&scan_refund_ids_, "SELECT sequence FROM events WHERE sequence > ?1 AND refund_id = ?2 ORDER BY sequence"},
      {&scan_gateway_ids_,
       "SELECT sequence FROM events WHERE sequence > ?1 AND payment_gateway_refund_id = ?2 ORDER BY sequence"},
  });
  if (!prepared.ok()) return prepared;
  return quarantine_.Prepare(db_);
}

absl::StatusOr<uint64_t> SqliteEventReader::HashAt(uint64_t sequence, const LogBounds& bounds) {
  if (sequence <= bounds.trimmed.sequence) return bounds.trimmed.event_hash;
  StatementReset reset(scan_);
  scan_.BindInt(1, static_cast<int64_t>(sequence - 1));
  const absl::StatusOr<bool> row = scan_.Step();
  if (absl::IsDataLoss(row.status())) return 0;
  if (!row.ok()) return row.status();
  if (!*row) return 0;
  const ScannedRecord scanned = ScanRecord(scan_);
  if (!scanned.intact || scanned.record.sequence != sequence) return 0;
  return EventHash(scanned.record.event_id);
}

absl::Status SqliteEventReader::CheckStart(LogPosition after, const LogBounds& bounds) {
  if (absl::Status valid = CheckPosition(after.sequence, bounds.first_sequence(), bounds.last_sequence); !valid.ok()) {
    return valid;
  }
  if (after.event_hash == 0 || after.sequence == 0) return absl::OkStatus();
  const absl::StatusOr<uint64_t> known = HashAt(after.sequence, bounds);
  if (!known.ok()) return known.status();
  if (*known != 0 && *known != after.event_hash) return PositionMismatchError(after.sequence);
  return absl::OkStatus();
}

absl::StatusOr<LogPosition> SqliteEventReader::Read(LogPosition after, const EventFilter& filter,
                                                    const ReadLimits& limits,
                                                    absl::FunctionRef<void(const StoredEvent&)> visit) {
  Snapshot snapshot(*this);
  const absl::StatusOr<LogBounds> bounds = snapshot.Bounds();
  if (!bounds.ok()) return bounds.status();
  if (absl::Status valid = CheckStart(after, *bounds); !valid.ok()) return valid;

  LogPosition scanned_to = after;
  size_t matched = 0;
  size_t bytes = 0;
  scan_.BindInt(1, static_cast<int64_t>(after.sequence));
  for (size_t scanned = 0; scanned_to.sequence < bounds->last_sequence; ++scanned) {
    if (scanned > 0 && (scanned >= limits.max_scanned || matched >= limits.max_events)) break;
    const uint64_t expected = scanned_to.sequence + 1;
    const absl::StatusOr<bool> row = scan_.Step();
    absl::Status damage;
    ScannedRecord found;
    if (!row.ok()) {
      damage = absl::IsDataLoss(row.status()) ? ChecksumError(expected) : row.status();
    } else if (!*row) {
      damage = MissingRecordError(expected);
    } else {
      found = ScanRecord(scan_);
      if (found.record.sequence != expected) {
        damage = MissingRecordError(expected);
      } else if (!found.intact) {
        damage = ChecksumError(expected);
      }
    }
    if (!damage.ok()) {
      if (scanned == 0) return damage;
      break;  // the next read begins with it and tells
    }
    const EventRecord& record = found.record;
    if (filter.Matches(record.event_name, record.client_id)) {
      if (matched > 0 && bytes + record.event.size() > limits.max_bytes) break;
      visit(record.View());
      ++matched;
      bytes += record.event.size();
    }
    scanned_to = LogPosition{record.sequence, EventHash(record.event_id)};
  }
  return scanned_to;
}

absl::StatusOr<LogPosition> SqliteEventReader::PositionAt(uint64_t sequence) {
  Snapshot snapshot(*this);
  const absl::StatusOr<LogBounds> bounds = snapshot.Bounds();
  if (!bounds.ok()) return bounds.status();
  if (absl::Status valid = CheckPosition(sequence, bounds->first_sequence(), bounds->last_sequence); !valid.ok()) {
    return valid;
  }
  const absl::StatusOr<uint64_t> hash = HashAt(sequence, *bounds);
  if (!hash.ok()) return hash.status();
  return LogPosition{sequence, *hash};
}

absl::StatusOr<SqliteEventReader::TimeOf> SqliteEventReader::FirstIntact(uint64_t sequence, uint64_t last) {
  StatementReset reset(scan_);
  scan_.BindInt(1, static_cast<int64_t>(sequence - 1));
  for (;;) {
    const absl::StatusOr<bool> row = scan_.Step();
    if (absl::IsDataLoss(row.status())) return TimeOf{};
    if (!row.ok()) return row.status();
    if (!*row) return TimeOf{};
    const ScannedRecord scanned = ScanRecord(scan_);
    if (scanned.record.sequence > last) return TimeOf{};
    if (scanned.intact) return TimeOf{true, scanned.record.sequence, scanned.record.stored_at_micros};
  }
}

absl::StatusOr<absl::Time> SqliteEventReader::StoredAt(uint64_t sequence) {
  Snapshot snapshot(*this);
  const absl::StatusOr<LogBounds> bounds = snapshot.Bounds();
  if (!bounds.ok()) return bounds.status();
  if (sequence < bounds->first_sequence()) return PositionExpiredError(sequence - 1, bounds->first_sequence());
  if (sequence > bounds->last_sequence) return PositionAheadError(sequence, bounds->last_sequence);
  const absl::StatusOr<TimeOf> found = FirstIntact(sequence, bounds->last_sequence);
  if (!found.ok()) return found.status();
  if (!found->intact) return ChecksumError(sequence);
  return absl::FromUnixMicros(found->stored_at_micros);
}

absl::StatusOr<std::vector<QuarantinedWebhook>> SqliteEventReader::ReadQuarantine(const QuarantineQuery& query) {
  Snapshot snapshot(*this);
  if (const absl::StatusOr<LogBounds> bounds = snapshot.Bounds(); !bounds.ok()) return bounds.status();
  return quarantine_.Read(query);
}

absl::StatusOr<LogPosition> SqliteEventReader::PositionBefore(absl::Time time) {
  Snapshot snapshot(*this);
  const absl::StatusOr<LogBounds> bounds = snapshot.Bounds();
  if (!bounds.ok()) return bounds.status();
  const int64_t micros = CeilToUnixMicros(time);
  if (bounds->trimmed.sequence > 0 && micros <= bounds->trimmed_stored_at_micros) {
    return TimeExpiredError(time, bounds->first_sequence());
  }
  // stored_at never falls, so halves can be searched. Records that cannot be read count as not before `time`: a reader
  // who starts there is told of the damage, instead of passing over it.
  uint64_t low = bounds->first_sequence();
  uint64_t high = bounds->last_sequence + 1;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    const absl::StatusOr<TimeOf> found = FirstIntact(middle, high - 1);
    if (!found.ok()) return found.status();
    if (found->intact && found->stored_at_micros < micros) {
      low = found->sequence + 1;
    } else {
      high = middle;
    }
  }
  const absl::StatusOr<uint64_t> hash = HashAt(low - 1, *bounds);
  if (!hash.ok()) return hash.status();
  return LogPosition{low - 1, *hash};
}

absl::StatusOr<EventRecord> SqliteEventReader::RecordAt(uint64_t sequence) {
  scan_.BindInt(1, static_cast<int64_t>(sequence - 1));
  const absl::StatusOr<bool> row = scan_.Step();
  if (absl::IsDataLoss(row.status())) return ChecksumError(sequence);
  if (!row.ok()) return row.status();
  if (!*row) return MissingRecordError(sequence);
  const ScannedRecord found = ScanRecord(scan_);
  if (found.record.sequence != sequence) return MissingRecordError(sequence);
  if (!found.intact) return ChecksumError(sequence);
  return found.record;
}

absl::StatusOr<FoundEvent> SqliteEventReader::Find(std::string_view event_id) {
  Snapshot snapshot(*this);
  const absl::StatusOr<LogBounds> bounds = snapshot.Bounds();
  if (!bounds.ok()) return bounds.status();
  uint64_t sequence = 0;
  {
    StatementReset reset(select_id_);
    select_id_.BindText(1, event_id);
    const absl::StatusOr<bool> row = select_id_.Step();
    if (!row.ok()) return row.status();
    if (!*row) return EventUnknownError();
    sequence = static_cast<uint64_t>(select_id_.Int(0));
  }
  if (sequence < bounds->first_sequence()) return EventExpiredError(sequence);
  const absl::StatusOr<EventRecord> record = RecordAt(sequence);
  if (!record.ok()) return record.status();
  if (record->event_id != event_id) return ChecksumError(sequence);
  return FoundEvent{sequence, absl::FromUnixMicros(record->stored_at_micros), std::string(record->event)};
}

absl::StatusOr<std::vector<uint64_t>> SqliteEventReader::CandidatesOf(RefundIdKind which, std::string_view id,
                                                                      uint64_t after, const LogBounds& bounds,
                                                                      uint64_t* through) {
  std::vector<uint64_t> candidates;
  const uint64_t hash = RefundIdHash(which, id);
  const uint64_t full_blocks = FullRefundBlocks(bounds.last_sequence);
  uint64_t block = FullRefundBlocks(after);  // that of after + 1
  const uint64_t end = std::min(full_blocks, block + kMaxBlocksPerLookUp);
  for (; block < end; ++block) {
    StatementReset reset(select_bucket_);
    select_bucket_.BindInt(1, static_cast<int64_t>(block));
    select_bucket_.BindInt(2, static_cast<int64_t>(RefundBucket(hash)));
    const absl::StatusOr<bool> row = select_bucket_.Step();
    if (!row.ok()) return row.status();
    if (!*row) continue;
    ScanRefundBucket(select_bucket_.Bytes(0), block, [&](uint32_t fingerprint, uint64_t sequence) {
      if (fingerprint == static_cast<uint32_t>(hash) && sequence > after) candidates.push_back(sequence);
    });
  }
  if (block < full_blocks) {
    *through = block * kRefundBlockEvents;
    return candidates;
  }
  *through = bounds.last_sequence;
  SqliteStatement& scan = which == RefundIdKind::kRefundId ? scan_refund_ids_ : scan_gateway_ids_;
  StatementReset reset(scan);
  scan.BindInt(1, static_cast<int64_t>(std::max(after, full_blocks * kRefundBlockEvents)));
  scan.BindText(2, id);
  for (auto row = scan.Step();; row = scan.Step()) {
    if (!row.ok()) return row.status();
    if (!*row) return candidates;
    candidates.push_back(static_cast<uint64_t>(scan.Int(0)));
  }
}

absl::StatusOr<LogPosition> SqliteEventReader::FindByRefund(RefundIdKind which, std::string_view id, LogPosition after,
                                                            const ReadLimits& limits,
                                                            absl::FunctionRef<void(const StoredEvent&)> visit) {
  Snapshot snapshot(*this);
  const absl::StatusOr<LogBounds> bounds = snapshot.Bounds();
  if (!bounds.ok()) return bounds.status();
  if (absl::Status valid = CheckStart(after, *bounds); !valid.ok()) return valid;
  uint64_t through = after.sequence;
  const auto candidates = CandidatesOf(which, id, after.sequence, *bounds, &through);
  if (!candidates.ok()) return candidates.status();

  size_t matched = 0;
  size_t bytes = 0;
  for (const uint64_t sequence : *candidates) {
    StatementReset reset(scan_);
    const absl::StatusOr<EventRecord> record = RecordAt(sequence);
    bool full = matched >= std::max<size_t>(limits.max_events, 1);
    if (record.ok()) {
      const bool is_asked_for =
          (which == RefundIdKind::kRefundId ? record->refund_id : record->payment_gateway_refund_id) == id;
      if (!is_asked_for) continue;  // another id with the same hash
      full = full || (matched > 0 && bytes + record->event.size() > limits.max_bytes);
    } else if (!absl::IsDataLoss(record.status()) || matched == 0) {
      return record.status();
    }
    if (full || !record.ok()) {  // what is damaged is told by the look-up that begins with it
      through = sequence - 1;
      break;
    }
    visit(record->View());
    ++matched;
    bytes += record->event.size();
  }
  const absl::StatusOr<uint64_t> hash = HashAt(through, *bounds);
  if (!hash.ok()) return hash.status();
  return LogPosition{through, *hash};
}

}  // namespace refund_relay
