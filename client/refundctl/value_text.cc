#include "client/refundctl/value_text.h"

#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/printable.h"

namespace refund_relay {
namespace {

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

}  // namespace

std::string FormatMoney(const refundrelay::v1::Money& money) {
  // By the meaning of google.type.Money both parts have the same sign; a lone fraction carries it alone.
  std::string number = absl::StrCat(money.units() == 0 && money.nanos() < 0 ? "-" : "", money.units());
  if (money.nanos() != 0) {
    const int64_t nanos = money.nanos();
    absl::StrAppendFormat(&number, ".%09d", nanos < 0 ? -nanos : nanos);
    number.erase(number.find_last_not_of('0') + 1);
  }
  return absl::StrCat(number, " ", Printable(money.currency_code()));
}

std::string FormatTimeMillis(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E3SZ", ToTime(time), absl::UTCTimeZone());
}

std::string FormatTimeExact(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E*SZ", ToTime(time), absl::UTCTimeZone());
}

std::string EnumText(std::string_view name, std::string_view prefix, int number) {
  if (name.substr(0, prefix.size()) != prefix) return absl::StrCat("number ", number);
  return absl::AsciiStrToLower(std::string(name.substr(prefix.size())));
}

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  google::protobuf::Timestamp timestamp;
  const int64_t seconds = absl::ToUnixSeconds(time);
  timestamp.set_seconds(seconds);
  timestamp.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
  return timestamp;
}

absl::StatusOr<absl::Time> ParseTimeOrAgo(std::string_view text, absl::Time now) {
  const std::string copy(text);
  absl::Duration ago;
  if (absl::ParseDuration(copy, &ago) && ago >= absl::ZeroDuration() && ago < absl::InfiniteDuration()) {
    return now - ago;
  }
  absl::Time time;
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, copy, &time, &error) && time != absl::InfiniteFuture() &&
      time != absl::InfinitePast()) {
    return time;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", copy, "\" is no time: write 2026-01-31T12:00:00Z (RFC 3339), or how long ago, such as 2h or 1h30m"));
}

absl::StatusOr<absl::Duration> ParsePositiveDuration(std::string_view text) {
  const std::string copy(text);
  absl::Duration duration;
  double seconds = 0;
  const bool parsed = absl::ParseDuration(copy, &duration) ||
                      (absl::SimpleAtod(copy, &seconds) && (duration = absl::Seconds(seconds), true));
  // A century is longer than any use and still far from where sums of times overflow.
  if (!parsed || duration <= absl::ZeroDuration() || duration > absl::Hours(24 * 36525)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", copy, "\" is no duration: write 10s, 500ms or 1m30s, greater than zero"));
  }
  return duration;
}

}  // namespace refund_relay
