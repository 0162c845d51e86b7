#include "server/stream/encoded_events.h"

#include <utility>

#include "server/stream/wire_format.h"
#include "server/translate/personal_data.h"

namespace refund_relay {
namespace {

// Sizes of one Delivery {sequence = 1, stored_at = 2 {seconds = 1, nanos = 2}, event = 3}. Zero values are left out,
// as Protobuf does.
struct DeliverySizes {
  int64_t seconds;
  int32_t nanos;
  size_t timestamp;
  size_t delivery;
};

DeliverySizes Measure(uint64_t sequence, absl::Time stored_at, std::string_view event) {
  DeliverySizes sizes;
  const int64_t micros = absl::ToUnixMicros(stored_at);
  sizes.seconds = micros / 1'000'000;
  sizes.nanos = static_cast<int32_t>(micros % 1'000'000 * 1000);
  sizes.timestamp = (sizes.seconds != 0 ? 1 + wire::VarintSize(static_cast<uint64_t>(sizes.seconds)) : 0) +
                    (sizes.nanos != 0 ? 1 + wire::VarintSize(static_cast<uint64_t>(sizes.nanos)) : 0);
  sizes.delivery = 1 + wire::VarintSize(sequence) + 1 + wire::VarintSize(sizes.timestamp) + sizes.timestamp + 1 +
                   wire::VarintSize(event.size()) + event.size();
  return sizes;
}

uint8_t* WriteDelivery(uint64_t sequence, const DeliverySizes& sizes, std::string_view event, uint8_t* out) {
  *out++ = wire::VarintTag(1);
  out = wire::WriteVarint(sequence, out);
  *out++ = wire::BytesTag(2);
  out = wire::WriteVarint(sizes.timestamp, out);
  if (sizes.seconds != 0) {
    *out++ = wire::VarintTag(1);
    out = wire::WriteVarint(static_cast<uint64_t>(sizes.seconds), out);
  }
  if (sizes.nanos != 0) {
    *out++ = wire::VarintTag(2);
    out = wire::WriteVarint(static_cast<uint64_t>(sizes.nanos), out);
  }
  *out++ = wire::BytesTag(3);
  out = wire::WriteVarint(event.size(), out);
  return wire::WriteBytes(event, out);
}

// A slice's bytes are ours to fill until it is shared.
uint8_t* MutableBytes(grpc::Slice& slice) { return const_cast<uint8_t*>(slice.begin()); }

// Reads the length of the field at `at`, of which the tag was passed, and moves past it.
size_t ReadLength(const uint8_t*& at) {
  size_t value = 0;
  for (int shift = 0;; shift += 7) {
    const uint8_t byte = *at++;
    value |= static_cast<size_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
}

// Takes a `deliveries` entry of ours apart: the head is everything before the event's tag.
struct EntryParts {
  std::string_view head;
  std::string_view event;
};

EntryParts TakeApart(const uint8_t* begin, const uint8_t* end) {
  const uint8_t* at = begin + 1;  // tag of `deliveries`
  ReadLength(at);
  const uint8_t* const delivery = at;
  ++at;            // tag of `sequence`
  ReadLength(at);  // its value
  ++at;            // tag of `stored_at`
  const size_t timestamp = ReadLength(at);
  at += timestamp;
  const std::string_view head(reinterpret_cast<const char*>(delivery), static_cast<size_t>(at - delivery));
  ++at;  // tag of `event`
  ReadLength(at);
  return {head, std::string_view(reinterpret_cast<const char*>(at), static_cast<size_t>(end - at))};
}

}  // namespace

std::shared_ptr<const EncodedEvents> EncodeEvents(uint64_t from, LogPosition last, bool live,
                                                  absl::Span<const StoredEvent> events) {
  auto encoded = std::make_shared<EncodedEvents>();
  encoded->from = from;
  encoded->last = last;
  encoded->live = live;
  encoded->entries.reserve(events.size());
  std::vector<DeliverySizes> sizes;
  sizes.reserve(events.size());
  size_t total = 0;
  for (const StoredEvent& event : events) {
    sizes.push_back(Measure(event.sequence, event.stored_at, event.event));
    total += 1 + wire::VarintSize(sizes.back().delivery) + sizes.back().delivery;
  }
  if (total == 0) return encoded;
  encoded->bytes = grpc::Slice(total);
  uint8_t* const begin = MutableBytes(encoded->bytes);
  uint8_t* out = begin;
  for (size_t i = 0; i < events.size(); ++i) {
    const StoredEvent& event = events[i];
    EncodedEntry entry;
    entry.sequence = event.sequence;
    entry.event_hash = EventHash(event.event_id);
    entry.event_name = event.event_name;
    entry.client_id = event.client_id;
    entry.begin = static_cast<size_t>(out - begin);
    *out++ = wire::BytesTag(3);
    out = wire::WriteVarint(sizes[i].delivery, out);
    out = WriteDelivery(event.sequence, sizes[i], event.event, out);
    entry.end = static_cast<size_t>(out - begin);
    encoded->entries.push_back(std::move(entry));
  }
  return encoded;
}

std::shared_ptr<const EncodedEvents> OmitPersonalData(const EncodedEvents& events) {
  auto omitted = std::make_shared<EncodedEvents>();
  omitted->from = events.from;
  omitted->last = events.last;
  omitted->live = events.live;
  omitted->entries = events.entries;
  std::vector<std::string> kept;
  kept.reserve(events.entries.size());
  size_t total = 0;
  for (const EncodedEntry& entry : events.entries) {
    const EntryParts parts = TakeApart(events.bytes.begin() + entry.begin, events.bytes.begin() + entry.end);
    kept.push_back(OmitPersonalData(parts.event));
    const size_t delivery = parts.head.size() + 1 + wire::VarintSize(kept.back().size()) + kept.back().size();
    total += 1 + wire::VarintSize(delivery) + delivery;
  }
  if (total == 0) return omitted;
  omitted->bytes = grpc::Slice(total);
  uint8_t* const begin = MutableBytes(omitted->bytes);
  uint8_t* out = begin;
  for (size_t i = 0; i < kept.size(); ++i) {
    EncodedEntry& entry = omitted->entries[i];
    const EntryParts parts = TakeApart(events.bytes.begin() + entry.begin, events.bytes.begin() + entry.end);
    const size_t delivery = parts.head.size() + 1 + wire::VarintSize(kept[i].size()) + kept[i].size();
    entry.begin = static_cast<size_t>(out - begin);
    *out++ = wire::BytesTag(3);
    out = wire::WriteVarint(delivery, out);
    out = wire::WriteBytes(parts.head, out);
    *out++ = wire::BytesTag(3);
    out = wire::WriteVarint(kept[i].size(), out);
    out = wire::WriteBytes(kept[i], out);
    entry.end = static_cast<size_t>(out - begin);
  }
  return omitted;
}

std::string EncodeDelivery(uint64_t sequence, absl::Time stored_at, std::string_view event) {
  const DeliverySizes sizes = Measure(sequence, stored_at, event);
  std::string delivery(sizes.delivery, '\0');
  WriteDelivery(sequence, sizes, event, reinterpret_cast<uint8_t*>(delivery.data()));
  return delivery;
}

void BatchComposer::AddRun(const EncodedEvents& events, size_t first, size_t last) {
  const size_t begin = events.entries[first].begin;
  const size_t end = events.entries[last - 1].end;
  slices_.push_back(events.bytes.sub(begin, end));
  bytes_ += end - begin;
  events_ += last - first;
}

std::vector<grpc::Slice> BatchComposer::Finish(uint64_t previous_sequence, bool live, std::string_view log_id,
                                               LogPosition position) {
  // Position {log_id = 1, sequence = 2, event_hash = 3}
  const size_t position_size = (log_id.empty() ? 0 : 1 + wire::VarintSize(log_id.size()) + log_id.size()) +
                               (position.sequence != 0 ? 1 + wire::VarintSize(position.sequence) : 0) +
                               (position.event_hash != 0 ? 1 + 8 : 0);
  const size_t trailer_size = 1 + wire::VarintSize(position_size) + position_size;
  const size_t fields_size = (previous_sequence != 0 ? 1 + wire::VarintSize(previous_sequence) : 0) + (live ? 2 : 0);
  const size_t batch_size = fields_size + bytes_ + trailer_size;

  grpc::Slice header(1 + wire::VarintSize(batch_size) + fields_size);
  uint8_t* out = MutableBytes(header);
  *out++ = wire::BytesTag(2);  // SubscribeResponse.batch
  out = wire::WriteVarint(batch_size, out);
  if (previous_sequence != 0) {
    *out++ = wire::VarintTag(1);
    out = wire::WriteVarint(previous_sequence, out);
  }
  if (live) {
    *out++ = wire::VarintTag(2);
    *out++ = 1;
  }

  grpc::Slice trailer(trailer_size);
  out = MutableBytes(trailer);
  *out++ = wire::BytesTag(4);  // Batch.position
  out = wire::WriteVarint(position_size, out);
  if (!log_id.empty()) {
    *out++ = wire::BytesTag(1);
    out = wire::WriteVarint(log_id.size(), out);
    out = wire::WriteBytes(log_id, out);
  }
  if (position.sequence != 0) {
    *out++ = wire::VarintTag(2);
    out = wire::WriteVarint(position.sequence, out);
  }
  if (position.event_hash != 0) {
    *out++ = wire::Fixed64Tag(3);
    wire::WriteFixed64(position.event_hash, out);
  }

  std::vector<grpc::Slice> message;
  message.reserve(slices_.size() + 2);
  message.push_back(std::move(header));
  for (grpc::Slice& slice : slices_) message.push_back(std::move(slice));
  message.push_back(std::move(trailer));
  slices_.clear();
  bytes_ = 0;
  events_ = 0;
  return message;
}

}  // namespace refund_relay
