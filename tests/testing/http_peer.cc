#include "tests/testing/http_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace refund_relay::testing {

HttpPeer::HttpPeer(uint16_t port, bool ipv6) : fd_(socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (fd_ < 0) return;
  const timeval patience{kPatienceSeconds, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  int result = 0;
  if (ipv6) {
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(port);
    to.sin6_addr = in6addr_loopback;
    result = connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
  } else {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    result = connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
  }
  if (result != 0) close(std::exchange(fd_, -1));
}

HttpPeer::HttpPeer(uint16_t port, const char* source) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (fd_ < 0) return;
  const timeval patience{kPatienceSeconds, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  sockaddr_in from{};
  from.sin_family = AF_INET;
  inet_pton(AF_INET, source, &from.sin_addr);
  sockaddr_in to = from;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd_, reinterpret_cast<const sockaddr*>(&from), sizeof(from)) != 0 ||
      connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0) {
    close(std::exchange(fd_, -1));
  }
}

HttpPeer::~HttpPeer() {
  if (fd_ >= 0) close(fd_);
}

bool HttpPeer::Send(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

void HttpPeer::FinishSending() const { shutdown(fd_, SHUT_WR); }

HttpReply HttpPeer::Read(bool to_head) {
  HttpReply reply;
  size_t head_end;
  while ((head_end = input_.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill()) return reply;
  }
  int status = 0;
  size_t body_size = 0;
  bool first = true;
  for (const absl::string_view line : absl::StrSplit(absl::string_view(input_).substr(0, head_end), "\r\n")) {
    if (std::exchange(first, false)) {
      if (line.size() < 12 || !absl::SimpleAtoi(line.substr(9, 3), &status)) return reply;
      continue;
    }
    const std::pair<absl::string_view, absl::string_view> field = absl::StrSplit(line, absl::MaxSplits(": ", 1));
    reply.fields[absl::AsciiStrToLower(field.first)] = std::string(field.second);
  }
  if (!to_head && !absl::SimpleAtoi(reply.Field("content-length"), &body_size)) body_size = 0;
  input_.erase(0, head_end + 4);
  while (input_.size() < body_size) {
    if (!Fill()) return reply;
  }
  reply.body = input_.substr(0, body_size);
  input_.erase(0, body_size);
  reply.status = status;
  return reply;
}

bool HttpPeer::AwaitEnd() {
  if (!input_.empty()) return false;
  char byte;
  return recv(fd_, &byte, 1, 0) == 0;
}

bool HttpPeer::HasInput() const {
  pollfd wait{fd_, POLLIN, 0};
  return !input_.empty() || poll(&wait, 1, 0) > 0;
}

bool HttpPeer::Fill() {
  char buffer[4096];
  const ssize_t size = recv(fd_, buffer, sizeof(buffer), 0);
  if (size <= 0) return false;
  input_.append(buffer, static_cast<size_t>(size));
  return true;
}

}  // namespace refund_relay::testing
