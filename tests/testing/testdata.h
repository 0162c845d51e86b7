// The vendor's sample webhooks.
#ifndef REFUND_RELAY_TESTS_TESTING_TESTDATA_H_
#define REFUND_RELAY_TESTS_TESTING_TESTDATA_H_

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace refund_relay::testing {

// The content of a file of tests/testdata, such as `refunded.pass.json`.
inline std::string ReadTestdata(const std::string& name) {
  std::ifstream file(REFUND_RELAY_TESTDATA "/" + name, std::ios::binary);
  if (!file) throw std::runtime_error("tests/testdata has no " + name);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

inline constexpr const char* kSamples[] = {"refunded.pass.json", "refunded.pay_per_use.json",
                                           "refunded.subscription.json"};

}  // namespace refund_relay::testing

#endif  // REFUND_RELAY_TESTS_TESTING_TESTDATA_H_
