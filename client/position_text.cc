#include "refund_relay/position_text.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/xxh3.h"

namespace refund_relay {
namespace {

constexpr size_t kHashDigits = 16;

// All of `text` as a number in `base`; nullopt if it is anything else (a sign and white space included).
std::optional<uint64_t> ParseNumber(const std::string& text, int base) {
  uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number, base);
  if (error != std::errc() || rest != end) return std::nullopt;
  return number;
}

}  // namespace

std::string FormatPosition(const refundrelay::v1::Position& position) {
  std::string text = absl::StrCat(position.log_id(), ":", position.sequence());
  if (position.event_hash() != 0) {
    absl::StrAppend(&text, ":", absl::Hex(position.event_hash(), absl::kZeroPad16));
  }
  return text;
}

absl::StatusOr<refundrelay::v1::Position> ParsePosition(std::string_view text) {
  const std::string copy(text);
  const auto refuse = [&copy](std::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("\"", copy, "\" is no position: ", std::string(why),
                                                   "; write LOG_ID:SEQUENCE or LOG_ID:SEQUENCE:HASH as refundctl "
                                                   "prints it"));
  };
  const std::vector<std::string> parts = absl::StrSplit(copy, ':');
  if (parts.size() != 2 && parts.size() != 3) return refuse("it has not two or three parts");
  if (parts[0].empty()) return refuse("the log id is empty");
  const auto sequence = ParseNumber(parts[1], 10);
  if (!sequence.has_value()) return refuse("the sequence is not a number of 64 bits");
  refundrelay::v1::Position position;
  position.set_log_id(parts[0]);
  position.set_sequence(*sequence);
  if (parts.size() == 3) {
    const auto hash = ParseNumber(parts[2], 16);
    if (parts[2].size() != kHashDigits || !hash.has_value()) return refuse("the hash is not 16 hex digits");
    position.set_event_hash(*hash);
  }
  return position;
}

refundrelay::v1::Position PositionAfter(const std::string& log_id, const refundrelay::v1::Delivery& delivery) {
  const std::string& event_id = delivery.event().event_id();
  refundrelay::v1::Position position;
  position.set_log_id(log_id);
  position.set_sequence(delivery.sequence());
  if (!event_id.empty()) position.set_event_hash(Xxh3(event_id));
  return position;
}

}  // namespace refund_relay
