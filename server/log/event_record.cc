#include "server/log/event_record.h"

#include <xxhash.h>

#include <algorithm>

#include "absl/time/time.h"

namespace refund_relay {
namespace {

// Each column's hash seeds the next one's, so a byte that moves from one column to its neighbour is noticed too.
uint64_t Chain(uint64_t seed, std::string_view column) {
  return XXH3_64bits_withSeed(column.data() == nullptr ? "" : column.data(), column.size(), seed);
}

}  // namespace

uint64_t EventRecord::Checksum() const {
  const uint64_t numbers[] = {sequence, static_cast<uint64_t>(stored_at_micros)};
  uint64_t hash = XXH3_64bits(numbers, sizeof(numbers));
  for (const std::string_view column : {event_id, event_name, client_id, refund_id, payment_gateway_refund_id, event}) {
    hash = Chain(hash, column);
  }
  return hash;
}

StoredEvent EventRecord::View() const {
  return StoredEvent{sequence, absl::FromUnixMicros(stored_at_micros), event_id, event_name, client_id, event};
}

ScannedRecord ScanRecord(const SqliteStatement& statement) {
  ScannedRecord scanned;
  EventRecord& record = scanned.record;
  record.sequence = static_cast<uint64_t>(statement.Int(0));
  record.stored_at_micros = statement.Int(1);
  record.event_id = statement.Bytes(2);
  record.event_name = statement.Bytes(3);
  record.client_id = statement.Bytes(4);
  record.refund_id = statement.Bytes(5);
  record.payment_gateway_refund_id = statement.Bytes(6);
  record.event = statement.Bytes(7);
  scanned.intact = static_cast<uint64_t>(statement.Int(8)) == record.Checksum();
  return scanned;
}

void BindRecord(SqliteStatement& statement, const EventRecord& record) {
  statement.BindInt(1, static_cast<int64_t>(record.sequence));
  statement.BindInt(2, record.stored_at_micros);
  statement.BindText(3, record.event_id);
  statement.BindText(4, record.event_name);
  statement.BindText(5, record.client_id);
  statement.BindText(6, record.refund_id);
  statement.BindText(7, record.payment_gateway_refund_id);
  statement.BindBlob(8, record.event);
  statement.BindInt(9, static_cast<int64_t>(record.Checksum()));
}

absl::StatusOr<LogBounds> ScanBounds(SqliteStatement& select_bounds) {
  StatementReset reset(select_bounds);
  if (const absl::StatusOr<bool> row = select_bounds.Step(); !row.ok()) return row.status();
  LogBounds bounds;
  bounds.trimmed.sequence = static_cast<uint64_t>(select_bounds.Int(0));
  bounds.trimmed.event_hash = static_cast<uint64_t>(select_bounds.Int(1));
  bounds.trimmed_stored_at_micros = select_bounds.Int(2);
  bounds.last_sequence = std::max(bounds.trimmed.sequence, static_cast<uint64_t>(select_bounds.Int(3)));
  return bounds;
}

}  // namespace refund_relay
