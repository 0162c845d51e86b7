#include "server/ops/tcp_bytes.h"

// Not <netinet/tcp.h>, which lacks the fields; the two cannot stand in one file.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstddef>

namespace refund_relay {

std::optional<TcpBytes> BytesOf(int socket) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  if (size < offsetof(tcp_info, tcpi_bytes_received) + sizeof(info.tcpi_bytes_received)) return std::nullopt;
  int unread = 0;
  if (ioctl(socket, FIONREAD, &unread) != 0) unread = 0;  // it is not connected any more
  return TcpBytes{info.tcpi_bytes_received, static_cast<uint64_t>(unread), info.tcpi_bytes_acked};
}

}  // namespace refund_relay
