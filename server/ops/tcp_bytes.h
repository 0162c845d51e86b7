// TcpBytes: how much a TCP connection has moved, as the kernel counts it.
#ifndef REFUND_RELAY_SERVER_OPS_TCP_BYTES_H_
#define REFUND_RELAY_SERVER_OPS_TCP_BYTES_H_

#include <cstdint>
#include <optional>

namespace refund_relay {

struct TcpBytes {
  uint64_t received = 0;      // of the peer; its end counts as one
  uint64_t unread = 0;        // of these, what waits in the kernel to be read
  uint64_t acknowledged = 0;  // by the peer, of what was sent; likewise
};

// Also of a connection that is over. Nothing if the kernel does not tell. Does not block.
std::optional<TcpBytes> BytesOf(int socket);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_TCP_BYTES_H_
