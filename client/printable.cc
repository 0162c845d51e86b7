#include "client/printable.h"

#include <cstddef>

#include "absl/strings/str_format.h"

namespace refund_relay {

std::string Printable(std::string_view text) {
  std::string printable;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    if (byte == 0xC2 && next >= 0x80 && next <= 0x9F) {  // C1 controls, in UTF-8
      absl::StrAppendFormat(&printable, "\\x%02x", next);
      ++i;
    } else if (byte < 0x20 || byte == 0x7F) {
      absl::StrAppendFormat(&printable, "\\x%02x", byte);
    } else {
      printable += text[i];
    }
  }
  return printable;
}

}  // namespace refund_relay
