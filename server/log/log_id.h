// The name of one history.
#ifndef REFUND_RELAY_SERVER_LOG_LOG_ID_H_
#define REFUND_RELAY_SERVER_LOG_LOG_ID_H_

#include <string>

namespace refund_relay {

// A new random log_id: a version-4 UUID.
std::string NewLogId();

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_LOG_ID_H_
