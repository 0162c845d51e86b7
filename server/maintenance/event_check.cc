#include "server/maintenance/event_check.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/log/refund_index.h"

namespace refund_relay {
namespace {

constexpr uint64_t kEventsBetweenLooks = 1024;  // for a cancellation

}  // namespace

absl::Status EventCheck::Prepare() {
  const std::string scan =
      absl::StrCat("SELECT ", kEventColumns, " FROM events WHERE sequence >= ?1 ORDER BY sequence");
  return db_.PrepareAll({
      {&scan_, scan},
      {&select_id_, "SELECT sequence FROM event_ids WHERE event_id = ?1"},
      {&select_block_, "SELECT bucket, entries FROM refund_index WHERE block = ?1"},
  });
}

absl::Status EventCheck::Run() {
  if (absl::Status prepared = Prepare(); !prepared.ok()) return prepared;
  expected_ = bounds_.first_sequence();
  newest_micros_ = bounds_.trimmed_stored_at_micros;
  block_ = FullRefundBlocks(expected_ - 1);
  bool done = false;
  while (!done && expected_ <= bounds_.last_sequence) {
    StatementReset reset(scan_);
    scan_.BindInt(1, static_cast<int64_t>(expected_));
    for (;;) {
      if (expected_ % kEventsBetweenLooks == 0 && cancelled_()) return absl::CancelledError("cancelled");
      const absl::StatusOr<bool> row = scan_.Step();
      if (absl::IsDataLoss(row.status())) {  // go on behind the page that cannot be read
        report_.Add(absl::StrCat("the event at sequence ", expected_, " cannot be read: ", row.status().message()));
        if (absl::Status entered = EnterBlockOf(expected_); !entered.ok()) return entered;
        block_is_whole_ = false;
        ++expected_;
        break;
      }
      if (!row.ok()) return row.status();
      done = !*row;
      if (done) break;
      if (absl::Status checked = CheckRow(); !checked.ok()) return checked;
    }
  }
  ReportMissing(bounds_.last_sequence + 1);
  if (absl::Status checked = EnterBlockOf(bounds_.last_sequence + 1); !checked.ok()) return checked;
  if (absl::Status checked = CheckOtherBlocks(); !checked.ok()) return checked;
  return CheckIds();
}

void EventCheck::ReportMissing(uint64_t sequence) {
  if (sequence <= expected_) return;
  block_is_whole_ = false;
  report_.Add(sequence == expected_ + 1
                  ? absl::StrCat("the event at sequence ", expected_, " is missing")
                  : absl::StrCat("the events at sequences ", expected_, " to ", sequence - 1, " are missing"));
}

absl::Status EventCheck::CheckRow() {
  const ScannedRecord scanned = ScanRecord(scan_);
  const EventRecord& record = scanned.record;
  ReportMissing(record.sequence);
  const bool follows = record.sequence == expected_;
  if (absl::Status entered = EnterBlockOf(record.sequence); !entered.ok()) return entered;
  if (!follows) block_is_whole_ = false;
  expected_ = record.sequence + 1;
  ++report_.events;
  if (!scanned.intact) {
    report_.Add(absl::StrCat("the event at sequence ", record.sequence, " is damaged: its checksum does not hold"));
    block_is_whole_ = false;
    return absl::OkStatus();
  }
  if (record.stored_at_micros < newest_micros_) {
    report_.Add(absl::StrCat("the event at sequence ", record.sequence, " was stored before the one that it follows"));
  }
  newest_micros_ = std::max(newest_micros_, record.stored_at_micros);
  std::vector<RefundIndexEntry> entries;
  AddRefundIds(record.sequence, record.refund_id, record.payment_gateway_refund_id, entries);
  for (const RefundIndexEntry& entry : entries) {
    entries_.emplace(RefundBucket(entry.hash), static_cast<uint32_t>(entry.hash), entry.sequence);
  }
  return CheckId(record);
}

absl::Status EventCheck::CheckId(const EventRecord& record) {
  StatementReset reset(select_id_);
  select_id_.BindText(1, record.event_id);
  const absl::StatusOr<bool> row = select_id_.Step();
  if (absl::IsDataLoss(row.status())) {
    report_.Add(absl::StrCat("the id of the event at sequence ", record.sequence, " cannot be read"));
    return absl::OkStatus();
  }
  if (!row.ok()) return row.status();
  if (!*row) {
    report_.Add(absl::StrCat("the id of the event at sequence ", record.sequence,
                             " is not among the known ids: a second copy would be stored"));
  } else if (static_cast<uint64_t>(select_id_.Int(0)) != record.sequence) {
    report_.Add(absl::StrCat("the id of the event at sequence ", record.sequence, " is known for sequence ",
                             select_id_.Int(0)));
  }
  return absl::OkStatus();
}

absl::Status EventCheck::EnterBlockOf(uint64_t sequence) {
  const uint64_t block = FullRefundBlocks(sequence - 1);
  if (block == block_) return absl::OkStatus();
  absl::Status checked = block_is_whole_ ? CheckBlock() : absl::OkStatus();
  block_ = block;
  block_is_whole_ = true;
  entries_.clear();
  return checked;
}

absl::Status EventCheck::CheckBlock() {
  std::set<Entry> stored;
  StatementReset reset(select_block_);
  select_block_.BindInt(1, static_cast<int64_t>(block_));
  for (;;) {
    const absl::StatusOr<bool> row = select_block_.Step();
    if (absl::IsDataLoss(row.status())) break;
    if (!row.ok()) return row.status();
    if (!*row) break;
    const auto bucket = static_cast<uint64_t>(select_block_.Int(0));
    ScanRefundBucket(select_block_.Bytes(1), block_, [&](uint32_t fingerprint, uint64_t sequence) {
      if (sequence >= bounds_.first_sequence()) stored.emplace(bucket, fingerprint, sequence);
    });
  }
  if (stored != entries_) {
    report_.Add(absl::StrCat("the look-up by refund does not agree with the events from sequence ",
                             block_ * kRefundBlockEvents + 1, " to ", (block_ + 1) * kRefundBlockEvents));
  }
  return absl::OkStatus();
}

absl::Status EventCheck::CheckOtherBlocks() {
  auto count = db_.Prepare("SELECT count(DISTINCT block) FROM refund_index WHERE block < ?1 OR block >= ?2");
  if (!count.ok()) return count.status();
  StatementReset reset(*count);
  count->BindInt(1, static_cast<int64_t>(FullRefundBlocks(bounds_.trimmed.sequence)));
  count->BindInt(2, static_cast<int64_t>(FullRefundBlocks(bounds_.last_sequence)));
  const absl::StatusOr<bool> row = count->Step();
  if (!row.ok()) return absl::IsDataLoss(row.status()) ? absl::OkStatus() : row.status();  // told with the pages
  if (count->Int(0) > 0) {
    report_.Add(absl::StrCat("the look-up by refund holds ", count->Int(0), " blocks of which no event is stored"));
  }
  return absl::OkStatus();
}

absl::Status EventCheck::CheckIds() {
  auto count = db_.Prepare(
      "SELECT count(*), coalesce(sum(sequence > ?2), 0), coalesce(sum(sequence BETWEEN ?1 AND ?2), 0) FROM event_ids");
  if (!count.ok()) return count.status();
  StatementReset reset(*count);
  count->BindInt(1, static_cast<int64_t>(bounds_.first_sequence()));
  count->BindInt(2, static_cast<int64_t>(bounds_.last_sequence));
  const absl::StatusOr<bool> row = count->Step();
  if (absl::IsDataLoss(row.status())) {
    report_.Add("the known ids cannot be read");
    return absl::OkStatus();
  }
  if (!row.ok()) return row.status();
  report_.ids = static_cast<uint64_t>(count->Int(0));
  if (count->Int(1) > 0) {
    report_.Add(absl::StrCat(count->Int(1), " known ids are of sequences that come after the last event"));
  }
  if (static_cast<uint64_t>(count->Int(2)) != report_.events) {
    report_.Add(absl::StrCat(count->Int(2), " ids are known for the ", report_.events, " events stored"));
  }
  return absl::OkStatus();
}

}  // namespace refund_relay
