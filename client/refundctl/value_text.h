// Values as text: money, times, durations, and strings that are safe to print.
#ifndef REFUND_RELAY_CLIENT_REFUNDCTL_VALUE_TEXT_H_
#define REFUND_RELAY_CLIENT_REFUNDCTL_VALUE_TEXT_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"
#include "refundrelay/v1/refund_event.pb.h"

// All pure and thread-safe.
namespace refund_relay {

// `1 INR`, `289.5 INR`: the exact number, without rounding or trailing zeros.
std::string FormatMoney(const refundrelay::v1::Money& money);

// RFC 3339 in UTC with milliseconds, for columns.
std::string FormatTimeMillis(const google::protobuf::Timestamp& time);

// RFC 3339 in UTC with all digits that there are.
std::string FormatTimeExact(const google::protobuf::Timestamp& time);

// The word of an enum's value: `pass` for the name `REFUND_EVENT_TYPE_PASS`, with `prefix` = `REFUND_EVENT_TYPE_`; the
// number in words for one without a name.
std::string EnumText(std::string_view name, std::string_view prefix, int number);

google::protobuf::Timestamp ToTimestamp(absl::Time time);

// An RFC 3339 time, or a duration such as `2h` or `1h30m` that lies this long before `now`.
// - INVALID_ARGUMENT: neither.
absl::StatusOr<absl::Time> ParseTimeOrAgo(std::string_view text, absl::Time now);

// `10s`, `1m30s`, or a plain number of seconds; greater than zero and finite.
// - INVALID_ARGUMENT: something else.
absl::StatusOr<absl::Duration> ParsePositiveDuration(std::string_view text);

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_REFUNDCTL_VALUE_TEXT_H_
