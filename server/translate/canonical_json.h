// One text for all JSON texts of the same value, so that values can be compared.
#ifndef REFUND_RELAY_SERVER_TRANSLATE_CANONICAL_JSON_H_
#define REFUND_RELAY_SERVER_TRANSLATE_CANONICAL_JSON_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace refund_relay {

// `json` without white space, members sorted by name, strings escaped in one way; numbers keep their text. The member
// `left_out` of the outermost object is left out. Two texts have the same value by the contract (the same members,
// strings by code points, the same number text, arrays in order) exactly if their canonical texts are equal.
//
// A pure function; thread-safe. Errors as of JsonReader::Read.
absl::StatusOr<std::string> CanonicalJson(std::string_view json, std::string_view left_out);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_TRANSLATE_CANONICAL_JSON_H_
