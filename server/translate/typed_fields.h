// One known member <-> its typed field: the two directions side by side, so that they cannot disagree.
#ifndef REFUND_RELAY_SERVER_TRANSLATE_TYPED_FIELDS_H_
#define REFUND_RELAY_SERVER_TRANSLATE_TYPED_FIELDS_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "refundrelay/v1/refund_event.pb.h"
#include "server/translate/webhook_members.h"
#include "server/translate/webhook_schema.h"

namespace refund_relay {

// How well a typed field carries a value.
enum class Carried : unsigned char {
  kExactly,   // AppendTyped gives the value back
  kMeaning,   // the field is set, but AppendTyped spells it otherwise
  kMistyped,  // the field is not set: the value is not what the schema expects
};

// Sets the typed field of `member` to `value`; `contains` are the elements if that is what the member is.
// - FAILED_PRECONDITION: an amount or a currency that is not one; the message names the member and what is expected.
absl::StatusOr<Carried> SetTyped(const SchemaMember& member, const BodyValue& value,
                                 const std::vector<std::string_view>& contains, refundrelay::v1::RefundEvent& event);

// Appends the JSON text of the typed field of `member`, which is no object, to `json`; false, and nothing appended,
// where the event lacks it.
// - INVALID_ARGUMENT: the field holds what JSON cannot say (an infinite double, an impossible Timestamp or amount), as
// no
//   event of ours does.
absl::StatusOr<bool> AppendTyped(const SchemaMember& member, const refundrelay::v1::RefundEvent& event,
                                 std::string& json);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_TRANSLATE_TYPED_FIELDS_H_
