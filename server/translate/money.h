// Amounts of money: JSON number text <-> exact units and nanos.
#ifndef REFUND_RELAY_SERVER_TRANSLATE_MONEY_H_
#define REFUND_RELAY_SERVER_TRANSLATE_MONEY_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "refundrelay/v1/refund_event.pb.h"

namespace refund_relay {

// Sets the units and nanos of `money` to the legal JSON number `number`, exactly. -0 is 0. Thread-safe.
// - FAILED_PRECONDITION, saying what is expected: negative, not a multiple of 1e-9, or more units than int64 holds.
absl::Status SetAmount(std::string_view number, refundrelay::v1::Money& money);

// The amount in plain decimal, with no more digits than it needs: `1`, `289.5`, `0.000000001`.
std::string AmountText(const refundrelay::v1::Money& money);

// Whether `text` is three ASCII letters.
bool IsCurrencyCode(std::string_view text);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_TRANSLATE_MONEY_H_
