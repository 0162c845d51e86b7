// JSON string literals for what operations write: log lines and readiness reports.
#ifndef REFUND_RELAY_SERVER_OPS_JSON_STRING_H_
#define REFUND_RELAY_SERVER_OPS_JSON_STRING_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace refund_relay {

// Appends `text` to `out` as a JSON string with its quotes. Control characters are escaped, each byte that is not part
// of valid UTF-8 becomes U+FFFD: what is appended is valid JSON whatever `text` holds. At most `max_bytes` (at least 2)
// are appended, quotes included; returns false if `text` had to be cut, which is done between characters.
bool AppendJsonString(std::string& out, std::string_view text, size_t max_bytes = std::string::npos);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_JSON_STRING_H_
