// Checks of flag values, in the form that CLI11 takes: what is wrong, or an empty string.
#ifndef REFUND_RELAY_CLIENT_REFUNDCTL_FLAG_CHECKS_H_
#define REFUND_RELAY_CLIENT_REFUNDCTL_FLAG_CHECKS_H_

#include <string>

// All pure.
namespace refund_relay {

std::string CheckSubscriberName(const std::string& text);  // `[a-z0-9-]{1,63}`
std::string CheckPosition(const std::string& text);        // as ParsePosition takes it
std::string CheckTimeOrAgo(const std::string& text);       // as ParseTimeOrAgo takes it
std::string CheckDuration(const std::string& text);        // as ParsePositiveDuration takes it
std::string CheckCount(const std::string& text);           // digits that fit 64 bits
std::string CheckAddress(const std::string& text);         // HOST:PORT; an IPv6 host in brackets
std::string CheckNotEmpty(const std::string& text);

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_REFUNDCTL_FLAG_CHECKS_H_
