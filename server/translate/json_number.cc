#include "server/translate/json_number.h"

#include <charconv>
#include <limits>
#include <system_error>

namespace refund_relay {
namespace {

constexpr int64_t kMaxExponent = 1'000'000'000;
// Numbers of fewer digits than this, without an exponent, are in the range of a double.
constexpr size_t kSafeLength = 300;
constexpr int64_t kMaxDoubleDigits = 309;  // of the integer part of the greatest double

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Skips digits; false if there is none.
bool SkipDigits(std::string_view& text) {
  size_t count = 0;
  while (count < text.size() && IsDigit(text[count])) ++count;
  text.remove_prefix(count);
  return count > 0;
}

bool Skip(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

// The exponent's text (optional sign, digits), clamped.
int64_t ParseExponent(std::string_view text) {
  const bool negative = Skip(text, '-');
  if (!negative) Skip(text, '+');
  int64_t value = 0;
  for (const char c : text) {
    value = value * 10 + (c - '0');
    if (value >= kMaxExponent) {
      value = kMaxExponent;
      break;
    }
  }
  return negative ? -value : value;
}

}  // namespace

bool IsJsonNumber(std::string_view text) {
  Skip(text, '-');
  if (!Skip(text, '0') && !SkipDigits(text)) return false;
  if (Skip(text, '.') && !SkipDigits(text)) return false;
  if (Skip(text, 'e') || Skip(text, 'E')) {
    if (!Skip(text, '+')) Skip(text, '-');
    if (!SkipDigits(text)) return false;
  }
  return text.empty();
}

size_t NumberLength(std::string_view text) {
  const size_t length = text.find_first_not_of("0123456789+-.eE");
  return length == std::string_view::npos ? text.size() : length;
}

Decimal ParseDecimal(std::string_view number) {
  Decimal decimal;
  decimal.negative = Skip(number, '-');
  const size_t e = number.find_first_of("eE");
  if (e != std::string_view::npos) {
    decimal.exponent = ParseExponent(number.substr(e + 1));
    number = number.substr(0, e);
  }
  const size_t point = number.find('.');
  decimal.digits = number.substr(0, point);
  if (point != std::string_view::npos) {
    const std::string_view fraction = number.substr(point + 1);
    decimal.digits += fraction;
    decimal.exponent -= static_cast<int64_t>(fraction.size());
  }
  const size_t first = decimal.digits.find_first_not_of('0');
  if (first == std::string::npos) {
    decimal.digits.clear();
    decimal.exponent = 0;
    return decimal;
  }
  const size_t last = decimal.digits.find_last_not_of('0');
  decimal.exponent += static_cast<int64_t>(decimal.digits.size() - 1 - last);
  decimal.digits = decimal.digits.substr(first, last + 1 - first);
  return decimal;
}

std::optional<int64_t> ParseInt64(std::string_view number) {
  int64_t value = 0;
  const char* const end = number.data() + number.size();
  const std::from_chars_result plain = std::from_chars(number.data(), end, value);
  if (plain.ec == std::errc() && plain.ptr == end) return value;
  const Decimal decimal = ParseDecimal(number);
  if (decimal.digits.empty()) return 0;
  if (decimal.exponent < 0 ||
      static_cast<int64_t>(decimal.digits.size()) + decimal.exponent > std::numeric_limits<int64_t>::digits10 + 1) {
    return std::nullopt;
  }
  std::string text(decimal.negative ? 1 : 0, '-');
  text += decimal.digits;
  text.append(static_cast<size_t>(decimal.exponent), '0');
  const std::from_chars_result expanded = std::from_chars(text.data(), text.data() + text.size(), value);
  if (expanded.ec != std::errc()) return std::nullopt;
  return value;
}

bool IsBeyondDouble(std::string_view number) {
  if (number.size() < kSafeLength && number.find_first_of("eE") == std::string_view::npos) return false;
  const Decimal decimal = ParseDecimal(number);
  if (decimal.digits.empty()) return false;
  const int64_t integer_digits = static_cast<int64_t>(decimal.digits.size()) + decimal.exponent;
  if (integer_digits != kMaxDoubleDigits) return integer_digits > kMaxDoubleDigits;
  double value = 0;
  return std::from_chars(number.data(), number.data() + number.size(), value).ec == std::errc::result_out_of_range;
}

double NearestDouble(std::string_view number) {
  double value = 0;
  const std::from_chars_result result = std::from_chars(number.data(), number.data() + number.size(), value);
  if (result.ec != std::errc()) return number.front() == '-' ? -0.0 : 0.0;
  return value;
}

std::string DoubleText(double value) {
  char text[32];
  const std::to_chars_result result = std::to_chars(text, text + sizeof(text), value);
  return std::string(text, result.ptr);
}

}  // namespace refund_relay
