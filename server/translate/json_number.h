// JSON numbers as text: taken apart exactly, never through a double.
#ifndef REFUND_RELAY_SERVER_TRANSLATE_JSON_NUMBER_H_
#define REFUND_RELAY_SERVER_TRANSLATE_JSON_NUMBER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace refund_relay {

// Whether `text` is exactly one number by the grammar of JSON (RFC 8259).
bool IsJsonNumber(std::string_view text);

// How many characters from the start of `text` may belong to a number.
size_t NumberLength(std::string_view text);

// A number as `digits` * 10^`exponent`, without leading or trailing zeros.
struct Decimal {
  bool negative = false;  // also of -0
  std::string digits;     // empty for zero
  // Exact up to a billion, beyond that clamped: nothing that we accept comes near.
  int64_t exponent = 0;
};

// Takes apart a legal JSON number. The cost is that of its text, however great its exponent.
Decimal ParseDecimal(std::string_view number);

// The number as an integer, if it is one of int64, however it is spelled (`1e3`, `5.0`).
std::optional<int64_t> ParseInt64(std::string_view number);

// Whether a legal JSON number would become infinite as a double.
bool IsBeyondDouble(std::string_view number);

// The nearest double of a legal JSON number that is not beyond its range; a zero where it is too small.
double NearestDouble(std::string_view number);

// The shortest text that gives `value` back; `value` is finite.
std::string DoubleText(double value);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_TRANSLATE_JSON_NUMBER_H_
