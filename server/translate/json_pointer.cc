#include "server/translate/json_pointer.h"

namespace refund_relay {

void AppendPointerStep(std::string& path, std::string_view name) {
  path += '/';
  for (const char c : name) {
    if (c == '~') {
      path += "~0";
    } else if (c == '/') {
      path += "~1";
    } else {
      path += c;
    }
  }
}

std::optional<PointerSplit> SplitPointer(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return std::nullopt;
  PointerSplit split{path.substr(0, slash), {}};
  const std::string_view step = path.substr(slash + 1);
  split.name.reserve(step.size());
  for (size_t i = 0; i < step.size(); ++i) {
    if (step[i] != '~') {
      split.name += step[i];
      continue;
    }
    if (++i == step.size() || (step[i] != '0' && step[i] != '1')) return std::nullopt;
    split.name += step[i] == '0' ? '~' : '/';
  }
  return split;
}

void AppendJsonString(std::string& json, std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  json += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      json += "\\u00";
      json += kDigits[static_cast<unsigned char>(c) >> 4];
      json += kDigits[c & 15];
    } else {
      json += c;
    }
  }
  json += '"';
}

}  // namespace refund_relay
