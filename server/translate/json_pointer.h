// RFC 6901 JSON Pointers and JSON string literals.
#ifndef REFUND_RELAY_SERVER_TRANSLATE_JSON_POINTER_H_
#define REFUND_RELAY_SERVER_TRANSLATE_JSON_POINTER_H_

#include <optional>
#include <string>
#include <string_view>

namespace refund_relay {

// Appends `/` and the member name, escaped (`~0`, `~1`), to the pointer `path`.
void AppendPointerStep(std::string& path, std::string_view name);

struct PointerSplit {
  std::string_view parent;  // still a pointer, into the argument
  std::string name;         // unescaped
};

// Parts a pointer from its last step; nullopt if it has none or the last step is ill-formed.
std::optional<PointerSplit> SplitPointer(std::string_view path);

// Appends `text` (UTF-8) as a JSON string with its quotes, escaping only what must be.
void AppendJsonString(std::string& json, std::string_view text);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_TRANSLATE_JSON_POINTER_H_
