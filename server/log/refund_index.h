// The index by which events are found by their refund's ids: how it is laid out, and how it is written.
//
// Appends must not pay for an index with an order of its own: its inserts would touch many pages of each commit. So
// sequences are cut into blocks, and a block is indexed as a whole when its last event is appended: one row for each of
// kRefundBuckets values of the ids' hash, holding a few bytes an id. Rows are written in order, at the right edge of
// their table. A look-up reads one small row of each block, and the events of the block that is not full yet.
#ifndef REFUND_RELAY_SERVER_LOG_REFUND_INDEX_H_
#define REFUND_RELAY_SERVER_LOG_REFUND_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/log/commit_part.h"
#include "server/log/event_log.h"
#include "server/log/sqlite_database.h"

namespace refund_relay {

// Part of the format of the database: block b holds the sequences from b * kRefundBlockEvents + 1 on.
inline constexpr uint64_t kRefundBlockEvents = 1024;
inline constexpr uint64_t kRefundBuckets = 64;

// How many whole blocks there are below and up to `last_sequence`.
inline constexpr uint64_t FullRefundBlocks(uint64_t last_sequence) { return last_sequence / kRefundBlockEvents; }

// XXH3-64 of an id; each kind has hashes of its own.
uint64_t RefundIdHash(RefundIdKind which, std::string_view id);
inline constexpr uint64_t RefundBucket(uint64_t hash) { return hash / (~uint64_t{0} / kRefundBuckets + 1); }

// One id of one event.
struct RefundIndexEntry {
  uint64_t hash = 0;
  uint64_t sequence = 0;
};

// Adds the ids of an event; an id that is empty is not indexed.
void AddRefundIds(uint64_t sequence, std::string_view refund_id, std::string_view payment_gateway_refund_id,
                  std::vector<RefundIndexEntry>& entries);

// The `entries` column of a row: 6 bytes for each entry of `bucket`, in the order given: the hash's lower 32 bits, the
// place within the block (16 bits), little endian.
std::string EncodeRefundBucket(const std::vector<RefundIndexEntry>& entries, uint64_t block, uint64_t bucket);
// Visits a row's entries in order: the lower 32 bits of the hash, and the sequence.
void ScanRefundBucket(std::string_view encoded, uint64_t block,
                      absl::FunctionRef<void(uint32_t fingerprint, uint64_t sequence)> visit);

// Writes the index. Opened on any thread, then of the writer's.
class RefundIndexWriter final : public CommitPart {
 public:
  // Reads the ids of the block that is not full in a log that ends at `last_sequence`. `connection` must outlive it.
  static absl::StatusOr<std::unique_ptr<RefundIndexWriter>> Open(SqliteConnection& connection, uint64_t last_sequence);

  // Indexes every event of a log that has no index yet, inside the transaction that is open.
  static absl::Status IndexAll(SqliteConnection& connection);

  // Adds an event that the open transaction appends; sequences come in order. Writes its block when it is full.
  absl::Status Add(uint64_t sequence, std::string_view refund_id, std::string_view payment_gateway_refund_id);

  // Deletes the blocks of which no event is left.
  absl::Status Trim(uint64_t trimmed_sequence);

  void Published() override;
  void RolledBack() override { staged_.clear(); }

 private:
  explicit RefundIndexWriter(SqliteConnection& connection) : db_(connection) {}

  absl::Status Prepare();
  // Adds what is stored after `sequence`. Records that cannot be read are left out, loudly.
  absl::Status AddStored(uint64_t sequence, uint64_t last_sequence);
  absl::Status WriteBlock(uint64_t block);

  SqliteConnection& db_;
  SqliteStatement insert_;
  SqliteStatement delete_;
  std::vector<RefundIndexEntry> open_block_;  // as committed
  std::vector<RefundIndexEntry> staged_;      // by the open transaction
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_REFUND_INDEX_H_
