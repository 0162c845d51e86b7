// A loopback port that nobody listens on until the test says so.
#ifndef REFUND_RELAY_TESTS_UNIT_CLIENT_RESERVED_PORT_H_
#define REFUND_RELAY_TESTS_UNIT_CLIENT_RESERVED_PORT_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace refund_relay {

// Holds a free port by a socket that is bound and does not listen: connections are refused, nobody else gets the port,
// and a server that sets SO_REUSEPORT, as gRPC's does, can start on it.
class ReservedPort {
 public:
  ReservedPort() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(name);
    if (setsockopt(socket_, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0 ||
        bind(socket_, reinterpret_cast<sockaddr*>(&name), size) != 0 ||
        getsockname(socket_, reinterpret_cast<sockaddr*>(&name), &size) != 0) {
      throw std::runtime_error("no free loopback port");
    }
    port_ = ntohs(name.sin_port);
  }
  ~ReservedPort() { close(socket_); }

  ReservedPort(const ReservedPort&) = delete;
  ReservedPort& operator=(const ReservedPort&) = delete;

  uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  const int socket_;
  uint16_t port_ = 0;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_TESTS_UNIT_CLIENT_RESERVED_PORT_H_
