// Takes the personal data out of an encoded RefundEvent.
#ifndef REFUND_RELAY_SERVER_TRANSLATE_PERSONAL_DATA_H_
#define REFUND_RELAY_SERVER_TRANSLATE_PERSONAL_DATA_H_

#include <string>
#include <string_view>

namespace refund_relay {

// The number of a top-level field of RefundEvent that is or may hold personal data: `user`, `client_info`,
// `extra_fields`, `webhook_sha256`.
bool IsPersonalData(int field_number);

// `encoded_event` without its personal data, all else byte for byte as it was. It reads the outermost fields only and
// parses no message, so it costs little more than the copy. Thread-safe.
//
// Fails closed: bytes that are no encoded message, as no log gives, come back as an empty event.
std::string OmitPersonalData(std::string_view encoded_event);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_TRANSLATE_PERSONAL_DATA_H_
