#include "server/ingress/json_text.h"

#include "absl/strings/str_cat.h"

namespace refund_relay {

void AppendJsonString(std::string_view text, std::string& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  out.push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == '"' || byte == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20 || byte == 0x7f) {
      out.append("\\u00");
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    } else {
      out.push_back(byte > 0x7f ? '?' : c);
    }
  }
  out.push_back('"');
}

std::string ProblemJson(int status, std::string_view title, std::string_view detail) {
  std::string out = "{\"title\":";
  AppendJsonString(title, out);
  absl::StrAppend(&out, ",\"status\":", status, ",\"detail\":");
  AppendJsonString(detail, out);
  out.push_back('}');
  return out;
}

}  // namespace refund_relay
