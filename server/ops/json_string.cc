#include "server/ops/json_string.h"

#include <algorithm>

namespace refund_relay {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

bool InRange(char c, unsigned char low, unsigned char high) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= low && byte <= high;
}

// The length of the well-formed UTF-8 character that `text` starts with (table 3-7 of the Unicode standard), or 0.
size_t CharacterLength(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return 1;
  size_t length = 0;
  unsigned char low = 0x80;  // bounds of the second byte: they refuse overlong forms, surrogates and > U+10FFFF
  unsigned char high = 0xBF;
  if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    length = 3;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  } else {
    return 0;
  }
  if (text.size() < length || !InRange(text[1], low, high)) return 0;
  const auto rest = text.substr(2, length - 2);
  return std::all_of(rest.begin(), rest.end(), [](char c) { return InRange(c, 0x80, 0xBF); }) ? length : 0;
}

// What stands for `character`, one well-formed UTF-8 character, inside the quotes. `buffer` holds escapes built here.
std::string_view Escaped(std::string_view character, char (&buffer)[6]) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (character[0]) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      break;
  }
  const auto byte = static_cast<unsigned char>(character[0]);
  if (byte >= 0x20 && byte != 0x7F) return character;
  const char escape[6] = {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]};
  std::copy(std::begin(escape), std::end(escape), buffer);
  return {buffer, sizeof(buffer)};
}

}  // namespace

bool AppendJsonString(std::string& out, std::string_view text, size_t max_bytes) {
  size_t left = max_bytes < 2 ? 0 : max_bytes - 2;
  out.push_back('"');
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    char buffer[6];
    const auto piece = length == 0 ? kReplacement : Escaped(text.substr(0, length), buffer);
    if (piece.size() > left) break;
    left -= piece.size();
    out.append(piece);
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  out.push_back('"');
  return text.empty();
}

}  // namespace refund_relay
