// Names a notification: the id under which the same webhook sent again is recognised.
#ifndef REFUND_RELAY_SERVER_TRANSLATE_EVENT_ID_H_
#define REFUND_RELAY_SERVER_TRANSLATE_EVENT_ID_H_

#include <optional>
#include <string>
#include <string_view>

namespace refund_relay {

// `<refund_id>-<first 16 hex digits of SHA-256(event_name LF updated_at)>`, at most 82 characters of `[0-9A-Za-z_-]`.
// All strings are as decoded from JSON, nothing is normalised. Thread-safe.
// - `refund_id` (`payload.refund._id`) outside `[0-9A-Za-z_]{1,64}` is replaced by `x` and its SHA-256 in hex.
// - `updated_at` is `payload.refund.updatedAt`; nullopt (absent, or no string) puts the lower-case hex SHA-256 of
//   `refund_json`, the text of `payload.refund` cut from the body, in its place.
std::string MakeEventId(std::string_view refund_id, std::string_view event_name,
                        std::optional<std::string_view> updated_at, std::string_view refund_json);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_TRANSLATE_EVENT_ID_H_
