// Strings that are safe to print.
#ifndef REFUND_RELAY_CLIENT_PRINTABLE_H_
#define REFUND_RELAY_CLIENT_PRINTABLE_H_

#include <string>
#include <string_view>

namespace refund_relay {

// `text` with control characters as `\xNN`: what came from outside can neither move the cursor nor start a line. Pure.
std::string Printable(std::string_view text);

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_PRINTABLE_H_
