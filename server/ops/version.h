// The version of refund-relay that this binary was built as.
#ifndef REFUND_RELAY_SERVER_OPS_VERSION_H_
#define REFUND_RELAY_SERVER_OPS_VERSION_H_

#include <string_view>

namespace refund_relay {

// The project's version in CMakeLists.txt, such as `0.1.0`.
std::string_view Version();

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_VERSION_H_
