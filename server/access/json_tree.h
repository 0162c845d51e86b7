// A JSON text as a tree. (RapidJSON's own, document.h, does not compile with clang 19.)
#ifndef REFUND_RELAY_SERVER_ACCESS_JSON_TREE_H_
#define REFUND_RELAY_SERVER_ACCESS_JSON_TREE_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/translate/json_reader.h"

namespace refund_relay {

struct JsonMember;

// A value; of an array or object with all that is in it, in the order of the text.
struct JsonValue {
  JsonKind kind = JsonKind::kNull;
  std::string text;                 // of a string or number
  std::vector<JsonValue> items;     // of an array
  std::vector<JsonMember> members;  // of an object

  bool is(JsonKind other) const { return kind == other; }
};

struct JsonMember {
  std::string name;
  JsonValue value;
};

// The member of an object; null if it has none of that name, or is no object.
const JsonValue* FindMember(const JsonValue& object, std::string_view name);

// Pure. Strict as JsonReader, with its errors; depth is bounded by it.
absl::StatusOr<JsonValue> ReadJsonTree(std::string_view json);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_ACCESS_JSON_TREE_H_
