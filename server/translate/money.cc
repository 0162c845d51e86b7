#include "server/translate/money.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <system_error>

#include "server/translate/json_number.h"

namespace refund_relay {
namespace {

constexpr int64_t kNanoDigits = 9;
constexpr int64_t kMaxUnitDigits = std::numeric_limits<int64_t>::digits10 + 1;

// Reads at most 19 digits; an empty text is 0.
bool ReadDigits(std::string_view digits, int64_t& value) {
  value = 0;
  return digits.empty() || std::from_chars(digits.data(), digits.data() + digits.size(), value).ec == std::errc();
}

}  // namespace

absl::Status SetAmount(std::string_view number, refundrelay::v1::Money& money) {
  Decimal decimal = ParseDecimal(number);
  if (decimal.digits.empty()) {
    money.set_units(0);
    money.set_nanos(0);
    return absl::OkStatus();
  }
  if (decimal.negative) return absl::FailedPreconditionError("an amount that is not negative is expected");
  if (decimal.exponent < -kNanoDigits) {
    return absl::FailedPreconditionError("an amount of at most nine decimal places is expected");
  }
  const int64_t unit_digits = static_cast<int64_t>(decimal.digits.size()) + decimal.exponent;
  int64_t units = 0;
  int64_t nanos = 0;
  bool fits = unit_digits <= kMaxUnitDigits;
  if (fits) {
    // At most 19 zeros are added, by the two checks above.
    if (decimal.exponent > 0) decimal.digits.append(static_cast<size_t>(decimal.exponent), '0');
    const std::string_view digits = decimal.digits;
    const size_t split = static_cast<size_t>(std::max<int64_t>(unit_digits, 0));
    std::string fraction(static_cast<size_t>(std::max<int64_t>(-unit_digits, 0)), '0');
    fraction += digits.substr(split);
    fraction.resize(kNanoDigits, '0');
    fits = ReadDigits(digits.substr(0, split), units) && ReadDigits(fraction, nanos);
  }
  if (!fits) return absl::FailedPreconditionError("an amount below 9223372036854775808 is expected");
  money.set_units(units);
  money.set_nanos(static_cast<int32_t>(nanos));
  return absl::OkStatus();
}

std::string AmountText(const refundrelay::v1::Money& money) {
  std::string text = std::to_string(money.units());
  if (money.nanos() == 0) return text;
  std::string fraction = std::to_string(money.nanos());
  fraction.insert(0, fraction.size() < kNanoDigits ? kNanoDigits - fraction.size() : 0, '0');
  fraction.erase(fraction.find_last_not_of('0') + 1);
  text += '.';
  text += fraction;
  return text;
}

bool IsCurrencyCode(std::string_view text) {
  return text.size() == 3 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); });
}

}  // namespace refund_relay
