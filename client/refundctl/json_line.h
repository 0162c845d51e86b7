// Builds one JSON object on one line.
#ifndef REFUND_RELAY_CLIENT_REFUNDCTL_JSON_LINE_H_
#define REFUND_RELAY_CLIENT_REFUNDCTL_JSON_LINE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "google/protobuf/message.h"

namespace refund_relay {

// Whether fields that are zero or empty show; those that can be told from unset show only if they are set.
enum class Zeros { kOmitted, kShown };

// `message` as compact proto JSON with the field names of the .proto files; 64-bit numbers are strings there.
std::string ProtoJson(const google::protobuf::Message& message, Zeros zeros = Zeros::kOmitted);

// Members appear in the order of the calls. Not thread-safe.
class JsonLine {
 public:
  // Every line says what it is in its first member.
  explicit JsonLine(std::string_view kind);

  JsonLine& Add(std::string_view name, std::string_view value);
  JsonLine& Add(std::string_view name, int64_t value);
  // `json` is JSON text without line breaks.
  JsonLine& AddJson(std::string_view name, std::string_view json);
  // All members of `message`.
  JsonLine& AddMembers(const google::protobuf::Message& message, Zeros zeros = Zeros::kOmitted);

  // Without a line break at the end.
  std::string Build() const;

 private:
  std::string members_;
};

// `text` in quotes, escaped.
std::string JsonString(std::string_view text);

// The JSON value in `text` without line breaks, or, if it is none, `text` as a JSON string.
std::string CompactJson(std::string_view text);

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_REFUNDCTL_JSON_LINE_H_
