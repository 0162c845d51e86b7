// The few pieces of Protobuf's wire format that composing a batch by hand needs.
#ifndef REFUND_RELAY_SERVER_STREAM_WIRE_FORMAT_H_
#define REFUND_RELAY_SERVER_STREAM_WIRE_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace refund_relay::wire {

// Tags of fields 1 to 15 with their wire type.
constexpr uint8_t VarintTag(int field) { return static_cast<uint8_t>(field << 3); }
constexpr uint8_t Fixed64Tag(int field) { return static_cast<uint8_t>(field << 3 | 1); }
constexpr uint8_t BytesTag(int field) { return static_cast<uint8_t>(field << 3 | 2); }

constexpr size_t VarintSize(uint64_t value) {
  size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

// Each writes at `out`, which has room, and returns the place after what it wrote.
inline uint8_t* WriteVarint(uint64_t value, uint8_t* out) {
  for (; value >= 0x80; value >>= 7) *out++ = static_cast<uint8_t>(value | 0x80);
  *out++ = static_cast<uint8_t>(value);
  return out;
}

inline uint8_t* WriteFixed64(uint64_t value, uint8_t* out) {
  for (int i = 0; i < 8; ++i) *out++ = static_cast<uint8_t>(value >> (8 * i));
  return out;
}

inline uint8_t* WriteBytes(std::string_view bytes, uint8_t* out) {
  if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

}  // namespace refund_relay::wire

#endif  // REFUND_RELAY_SERVER_STREAM_WIRE_FORMAT_H_
