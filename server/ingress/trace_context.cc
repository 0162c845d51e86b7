#include "server/ingress/trace_context.h"

#include <algorithm>

namespace refund_relay {
namespace {

// version "-" trace-id "-" parent-id "-" flags
constexpr size_t kVersionSize = 2;
constexpr size_t kTraceIdBegin = 3;
constexpr size_t kTraceIdSize = 32;
constexpr size_t kParentIdBegin = 36;
constexpr size_t kParentIdSize = 16;
constexpr size_t kFlagsBegin = 53;
constexpr size_t kFlagsSize = 2;
constexpr size_t kSize = 55;
constexpr size_t kMaxSize = 256;  // of a later version, which may be longer

bool IsLowerHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsId(std::string_view text) {
  return IsLowerHex(text) && std::any_of(text.begin(), text.end(), [](char c) { return c != '0'; });
}

bool IsTraceparent(std::string_view text) {
  if (text.size() < kSize || text.size() > kMaxSize) return false;
  const std::string_view version = text.substr(0, kVersionSize);
  if (!IsLowerHex(version) || version == "ff") return false;
  if (text.size() > kSize && (version == "00" || text[kSize] != '-')) return false;
  const bool dashes = text[kTraceIdBegin - 1] == '-' && text[kParentIdBegin - 1] == '-' && text[kFlagsBegin - 1] == '-';
  return dashes && IsId(text.substr(kTraceIdBegin, kTraceIdSize)) && IsId(text.substr(kParentIdBegin, kParentIdSize)) &&
         IsLowerHex(text.substr(kFlagsBegin, kFlagsSize)) &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

std::string_view TraceparentOf(const RequestHead& head) {
  if (head.Count("traceparent") != 1) return {};
  const std::string_view value = head.Value("traceparent");
  return IsTraceparent(value) ? value : std::string_view();
}

}  // namespace refund_relay
