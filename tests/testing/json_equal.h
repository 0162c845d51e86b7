// Whether two JSON texts hold the same value, by the contract's meaning of equal.
#ifndef REFUND_RELAY_TESTS_TESTING_JSON_EQUAL_H_
#define REFUND_RELAY_TESTS_TESTING_JSON_EQUAL_H_

#include <string>
#include <string_view>

namespace refund_relay::testing {

// Empty if `a` and `b` are the same value, else where they first differ (a JSON Pointer and why).
// The same: members by name whatever their order, strings by code points, numbers by their text, arrays in order; white
// space does not count. A small recursive reader of its own, so that it can judge the server's (and RapidJSON, which
// refuses `0e400`). A text that is not JSON, or that nests deeper than 200, equals nothing.
std::string JsonDifference(std::string_view a, std::string_view b);

inline bool JsonEqual(std::string_view a, std::string_view b) { return JsonDifference(a, b).empty(); }

}  // namespace refund_relay::testing

#endif  // REFUND_RELAY_TESTS_TESTING_JSON_EQUAL_H_
