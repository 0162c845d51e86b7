// Request fields, as the server names them in its errors, as the flags that people gave.
#ifndef REFUND_RELAY_CLIENT_REFUNDCTL_FLAG_OF_FIELD_H_
#define REFUND_RELAY_CLIENT_REFUNDCTL_FLAG_OF_FIELD_H_

#include <string>
#include <string_view>

namespace refund_relay {

// `--at-time` for `at_time`, `--type, value 2` for `filter.event_types[1]`, `--after, log_id` for `after.log_id`; empty
// if no flag sets the field. Pure.
std::string FlagOfField(std::string_view field);

// `text` with the flags in place of the fields that it names: those of several words, which no sentence holds by
// chance. Pure.
std::string WithFlags(std::string_view text);

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_REFUNDCTL_FLAG_OF_FIELD_H_
