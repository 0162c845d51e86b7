#include "server/ops/version.h"

namespace refund_relay {

std::string_view Version() { return REFUND_RELAY_VERSION; }

}  // namespace refund_relay
