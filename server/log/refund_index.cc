#include "server/log/refund_index.h"

#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "server/ops/logging.h"

namespace refund_relay {
namespace {

constexpr size_t kEntryBytes = 6;

uint64_t BlockOf(uint64_t sequence) { return (sequence - 1) / kRefundBlockEvents; }

}  // namespace

uint64_t RefundIdHash(RefundIdKind which, std::string_view id) {
  const uint64_t seed = which == RefundIdKind::kRefundId ? 1 : 2;
  return XXH3_64bits_withSeed(id.data() == nullptr ? "" : id.data(), id.size(), seed);
}

void AddRefundIds(uint64_t sequence, std::string_view refund_id, std::string_view payment_gateway_refund_id,
                  std::vector<RefundIndexEntry>& entries) {
  if (!refund_id.empty()) entries.push_back({RefundIdHash(RefundIdKind::kRefundId, refund_id), sequence});
  if (!payment_gateway_refund_id.empty()) {
    entries.push_back({RefundIdHash(RefundIdKind::kPaymentGatewayRefundId, payment_gateway_refund_id), sequence});
  }
}

std::string EncodeRefundBucket(const std::vector<RefundIndexEntry>& entries, uint64_t block, uint64_t bucket) {
  std::string encoded;
  for (const RefundIndexEntry& entry : entries) {
    if (BlockOf(entry.sequence) != block || RefundBucket(entry.hash) != bucket) continue;
    const uint64_t place = entry.sequence - 1 - block * kRefundBlockEvents;
    for (int byte = 0; byte < 4; ++byte) encoded.push_back(static_cast<char>(entry.hash >> (8 * byte)));
    for (int byte = 0; byte < 2; ++byte) encoded.push_back(static_cast<char>(place >> (8 * byte)));
  }
  return encoded;
}

void ScanRefundBucket(std::string_view encoded, uint64_t block,
                      absl::FunctionRef<void(uint32_t fingerprint, uint64_t sequence)> visit) {
  const auto number = [&encoded](size_t at, int bytes) {
    uint64_t value = 0;
    for (int byte = 0; byte < bytes; ++byte) {
      value |= uint64_t{static_cast<unsigned char>(encoded[at + static_cast<size_t>(byte)])} << (8 * byte);
    }
    return value;
  };
  for (size_t at = 0; at + kEntryBytes <= encoded.size(); at += kEntryBytes) {
    visit(static_cast<uint32_t>(number(at, 4)), block * kRefundBlockEvents + number(at + 4, 2) + 1);
  }
}

absl::Status RefundIndexWriter::Prepare() {
  return db_.PrepareAll({
      {&insert_, "INSERT OR REPLACE INTO refund_index (block, bucket, entries) VALUES (?1, ?2, ?3)"},
      {&delete_, "DELETE FROM refund_index WHERE block < ?1"},
  });
}

absl::StatusOr<std::unique_ptr<RefundIndexWriter>> RefundIndexWriter::Open(SqliteConnection& connection,
                                                                           uint64_t last_sequence) {
  std::unique_ptr<RefundIndexWriter> writer(new RefundIndexWriter(connection));
  if (absl::Status prepared = writer->Prepare(); !prepared.ok()) return prepared;
  const uint64_t indexed = FullRefundBlocks(last_sequence) * kRefundBlockEvents;
  if (absl::Status added = writer->AddStored(indexed, last_sequence); !added.ok()) return added;
  writer->Published();
  return writer;
}

absl::Status RefundIndexWriter::IndexAll(SqliteConnection& connection) {
  RefundIndexWriter writer(connection);
  if (absl::Status prepared = writer.Prepare(); !prepared.ok()) return prepared;
  auto ends = connection.Prepare("SELECT coalesce(min(sequence), 1), coalesce(max(sequence), 0) FROM events");
  if (!ends.ok()) return ends.status();
  if (const absl::StatusOr<bool> row = ends->Step(); !row.ok()) return row.status();
  const auto first = static_cast<uint64_t>(ends->Int(0));
  const auto last = static_cast<uint64_t>(ends->Int(1));
  if (last == 0) return absl::OkStatus();
  Log(LogLevel::kInfo, "indexing the stored events by refund, once", {{"events", last - first + 1}});
  return writer.AddStored(first - 1, last);
}

absl::Status RefundIndexWriter::AddStored(uint64_t sequence, uint64_t last_sequence) {
  auto select = db_.Prepare(
      "SELECT sequence, refund_id, payment_gateway_refund_id FROM events WHERE sequence > ?1 ORDER BY sequence");
  if (!select.ok()) return select.status();
  bool told = false;
  while (sequence < last_sequence) {
    StatementReset reset(*select);
    select->BindInt(1, static_cast<int64_t>(sequence));
    absl::StatusOr<bool> row = select->Step();
    for (; row.ok() && *row; row = select->Step()) {
      const auto next = static_cast<uint64_t>(select->Int(0));
      if (BlockOf(next) != BlockOf(sequence + 1)) {  // the last record of that block is missing
        if (absl::Status written = WriteBlock(BlockOf(sequence + 1)); !written.ok()) return written;
      }
      if (absl::Status added = Add(next, select->Bytes(1), select->Bytes(2)); !added.ok()) return added;
      sequence = next;
      if (sequence % kRefundBlockEvents == 0) Published();
    }
    if (row.ok()) break;
    if (!absl::IsDataLoss(row.status())) return row.status();
    if (!std::exchange(told, true)) {
      Log(LogLevel::kError,
          "events cannot be read and will not be found by their refunds; run verify, restore a backup",
          {{"sequence", sequence + 1}, {"cause", row.status()}});
    }
    if (absl::Status added = Add(++sequence, "", ""); !added.ok()) return added;
  }
  return absl::OkStatus();
}

absl::Status RefundIndexWriter::Add(uint64_t sequence, std::string_view refund_id,
                                    std::string_view payment_gateway_refund_id) {
  AddRefundIds(sequence, refund_id, payment_gateway_refund_id, staged_);
  return sequence % kRefundBlockEvents == 0 ? WriteBlock(BlockOf(sequence)) : absl::OkStatus();
}

absl::Status RefundIndexWriter::WriteBlock(uint64_t block) {
  std::vector<RefundIndexEntry> entries = open_block_;
  entries.insert(entries.end(), staged_.begin(), staged_.end());
  std::sort(entries.begin(), entries.end(), [](const RefundIndexEntry& a, const RefundIndexEntry& b) {
    return std::pair(RefundBucket(a.hash), a.sequence) < std::pair(RefundBucket(b.hash), b.sequence);
  });
  std::vector<RefundIndexEntry> of_bucket;
  for (auto next = entries.begin(); next != entries.end();) {
    const uint64_t bucket = RefundBucket(next->hash);
    const auto end =
        std::find_if(next, entries.end(), [&](const RefundIndexEntry& e) { return RefundBucket(e.hash) != bucket; });
    of_bucket.assign(next, end);
    next = end;
    const std::string encoded = EncodeRefundBucket(of_bucket, block, bucket);
    if (encoded.empty()) continue;
    insert_.BindInt(1, static_cast<int64_t>(block));
    insert_.BindInt(2, static_cast<int64_t>(bucket));
    insert_.BindBlob(3, encoded);
    if (absl::Status inserted = insert_.Run(); !inserted.ok()) return inserted;
  }
  return absl::OkStatus();
}

absl::Status RefundIndexWriter::Trim(uint64_t trimmed_sequence) {
  delete_.BindInt(1, static_cast<int64_t>(FullRefundBlocks(trimmed_sequence)));
  return delete_.Run();
}

void RefundIndexWriter::Published() {
  if (staged_.empty()) return;
  const uint64_t last = staged_.back().sequence;
  open_block_.insert(open_block_.end(), staged_.begin(), staged_.end());
  staged_.clear();
  const auto is_written = [last](const RefundIndexEntry& entry) {
    return BlockOf(entry.sequence) < FullRefundBlocks(last);
  };
  if (is_written(open_block_.front())) std::erase_if(open_block_, is_written);
}

}  // namespace refund_relay
