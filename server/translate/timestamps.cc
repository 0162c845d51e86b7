#include "server/translate/timestamps.h"

#include <chrono>
#include <cstdint>

#include "server/translate/json_number.h"

namespace refund_relay {
namespace {

using google::protobuf::Timestamp;

constexpr int64_t kFirstEpochSecond = 946'684'800;          // 2000-01-01T00:00:00Z
constexpr int64_t kEndEpochSecond = 4'133'980'800;          // 2101-01-01T00:00:00Z
constexpr int64_t kFirstTimestampSecond = -62'135'596'800;  // 0001-01-01T00:00:00Z
constexpr int64_t kEndTimestampSecond = 253'402'300'800;    // 10000-01-01T00:00:00Z
constexpr int32_t kNanosPerSecond = 1'000'000'000;
constexpr int32_t kNanosPerMilli = 1'000'000;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes exactly `count` digits from the front of `text`.
bool TakeDigits(std::string_view& text, int count, int& value) {
  value = 0;
  if (text.size() < static_cast<size_t>(count)) return false;
  for (int i = 0; i < count; ++i) {
    if (!IsDigit(text[static_cast<size_t>(i)])) return false;
    value = value * 10 + (text[static_cast<size_t>(i)] - '0');
  }
  text.remove_prefix(static_cast<size_t>(count));
  return true;
}

bool Take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// Takes a fraction's digits after its point, as nanoseconds.
bool TakeNanos(std::string_view& text, int32_t& nanos) {
  size_t count = 0;
  for (; count < text.size() && IsDigit(text[count]); ++count) {
    if (count < 9) nanos = nanos * 10 + (text[count] - '0');
  }
  for (size_t i = count; i < 9; ++i) nanos *= 10;
  text.remove_prefix(count);
  return count > 0;
}

// Takes `Z` or an offset, which must end the text.
bool TakeOffset(std::string_view& text, int64_t& seconds) {
  if (Take(text, "Zz")) return text.empty();
  const bool west = !text.empty() && text.front() == '-';
  int hours = 0;
  int minutes = 0;
  if (!Take(text, "+-") || !TakeDigits(text, 2, hours)) return false;
  if (!text.empty()) {
    Take(text, ":");
    if (!TakeDigits(text, 2, minutes)) return false;
  }
  if (hours > 23 || minutes > 59) return false;
  seconds = (int64_t{hours} * 60 + minutes) * 60 * (west ? -1 : 1);
  return text.empty();
}

void AppendPadded(std::string& out, unsigned value, int width) {
  char digits[4];
  for (int i = width - 1; i >= 0; --i) {
    digits[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  out.append(digits, static_cast<size_t>(width));
}

}  // namespace

std::optional<Timestamp> ParseIsoTime(std::string_view text) {
  int year = 0;
  int month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int32_t nanos = 0;
  int64_t offset = 0;
  if (!TakeDigits(text, 4, year) || !Take(text, "-") || !TakeDigits(text, 2, month) || !Take(text, "-") ||
      !TakeDigits(text, 2, day) || !Take(text, "Tt ") || !TakeDigits(text, 2, hour) || !Take(text, ":") ||
      !TakeDigits(text, 2, minute)) {
    return std::nullopt;
  }
  if (Take(text, ":") && !TakeDigits(text, 2, second)) return std::nullopt;
  if (Take(text, ".,") && !TakeNanos(text, nanos)) return std::nullopt;
  if (!TakeOffset(text, offset)) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  const int64_t seconds = ((days * 24 + hour) * 60 + minute) * 60 + second - offset;
  if (seconds < kFirstTimestampSecond || seconds >= kEndTimestampSecond) return std::nullopt;
  Timestamp time;
  time.set_seconds(seconds);
  time.set_nanos(nanos);
  return time;
}

std::optional<std::string> IsoTimeText(const Timestamp& time) {
  if (time.seconds() < kFirstTimestampSecond || time.seconds() >= kEndTimestampSecond || time.nanos() < 0 ||
      time.nanos() >= kNanosPerSecond) {
    return std::nullopt;
  }
  const std::chrono::sys_seconds instant{std::chrono::seconds(time.seconds())};
  const auto days = std::chrono::floor<std::chrono::days>(instant);
  const std::chrono::year_month_day date(days);
  const auto of_day = static_cast<unsigned>((instant - days).count());
  std::string text;
  text.reserve(24);
  AppendPadded(text, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  text += '-';
  AppendPadded(text, static_cast<unsigned>(date.month()), 2);
  text += '-';
  AppendPadded(text, static_cast<unsigned>(date.day()), 2);
  text += 'T';
  AppendPadded(text, of_day / 3600, 2);
  text += ':';
  AppendPadded(text, of_day / 60 % 60, 2);
  text += ':';
  AppendPadded(text, of_day % 60, 2);
  text += '.';
  AppendPadded(text, static_cast<unsigned>(time.nanos() / kNanosPerMilli), 3);
  text += 'Z';
  return text;
}

std::optional<Timestamp> ParseEpochSeconds(std::string_view number) {
  const std::optional<int64_t> seconds = ParseInt64(number);
  if (!seconds.has_value() || *seconds < kFirstEpochSecond || *seconds >= kEndEpochSecond) return std::nullopt;
  Timestamp time;
  time.set_seconds(*seconds);
  return time;
}

Timestamp ToTimestamp(absl::Time time) {
  Timestamp result;
  const int64_t seconds = absl::ToUnixSeconds(time);
  result.set_seconds(seconds);
  result.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
  return result;
}

}  // namespace refund_relay
