// Events encoded once for all streams: the `deliveries` entries of a commit or of a page of history in one slice.
#ifndef REFUND_RELAY_SERVER_STREAM_ENCODED_EVENTS_H_
#define REFUND_RELAY_SERVER_STREAM_ENCODED_EVENTS_H_

#include <grpcpp/support/slice.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "server/log/event_log.h"

namespace refund_relay {

// One event within an EncodedEvents: what filters and positions need, and where its bytes lie.
struct EncodedEntry {
  uint64_t sequence = 0;
  uint64_t event_hash = 0;
  std::string event_name;
  std::string client_id;
  size_t begin = 0;  // bytes [begin, end) of the slice: a whole `deliveries` field, tag and length included
  size_t end = 0;
};

// A range of the log, (from, last.sequence], and those of its events that were kept, in order. Constant after
// construction, so any thread may read it.
struct EncodedEvents {
  uint64_t from = 0;
  LogPosition last;
  bool live = false;
  std::vector<EncodedEntry> entries;
  grpc::Slice bytes;
};

// Encodes `events`, all of the range (from, last.sequence] that are to be delivered, in order.
std::shared_ptr<const EncodedEvents> EncodeEvents(uint64_t from, LogPosition last, bool live,
                                                  absl::Span<const StoredEvent> events);

// The same range without personal data. Costs one pass over the bytes; nothing is parsed into messages.
std::shared_ptr<const EncodedEvents> OmitPersonalData(const EncodedEvents& events);

// One event as a `Delivery` message (without tag and length), for the unary calls.
std::string EncodeDelivery(uint64_t sequence, absl::Time stored_at, std::string_view event);

// Bytes of a message `SubscribeResponse{batch}`: a few bytes of its own before and after, and in between sub-slices of
// the shared encodings, which it keeps alive. Not thread-safe.
class BatchComposer {
 public:
  // Adds entries [first, last) of `events`, which are neighbours.
  void AddRun(const EncodedEvents& events, size_t first, size_t last);
  bool empty() const { return slices_.empty(); }
  size_t bytes() const { return bytes_; }
  size_t events() const { return events_; }

  // Returns the slices of the whole message and resets the composer.
  std::vector<grpc::Slice> Finish(uint64_t previous_sequence, bool live, std::string_view log_id, LogPosition position);

 private:
  std::vector<grpc::Slice> slices_;
  size_t bytes_ = 0;
  size_t events_ = 0;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_STREAM_ENCODED_EVENTS_H_
