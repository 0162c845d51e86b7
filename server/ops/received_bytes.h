// How much came in over a TCP connection, as the kernel counts it.
#ifndef REFUND_RELAY_SERVER_OPS_RECEIVED_BYTES_H_
#define REFUND_RELAY_SERVER_OPS_RECEIVED_BYTES_H_

#include <cstdint>
#include <optional>

namespace refund_relay {

// The bytes that the peer has sent and we have acknowledged, read or not; its end counts as one. Also of a connection
// that is over. Nothing if the kernel does not tell. Does not block.
std::optional<uint64_t> ReceivedBytes(int socket);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_RECEIVED_BYTES_H_
