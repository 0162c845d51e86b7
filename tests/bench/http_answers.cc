// HttpAnswers: reads no more of HTTP/1.1 than a load generator must.
#include "tests/bench/http_answers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "server/ops/listen_address.h"

namespace refund_relay::bench {
namespace {

std::optional<size_t> ContentLength(std::string_view head) {
  const std::string lower = absl::AsciiStrToLower(absl::string_view(head.data(), head.size()));
  constexpr std::string_view kName = "\r\ncontent-length:";
  const size_t found = lower.find(kName);
  if (found == std::string::npos) return std::nullopt;
  const size_t start = found + kName.size();
  size_t length = 0;
  if (!absl::SimpleAtoi(lower.substr(start, lower.find("\r\n", start) - start), &length)) return std::nullopt;
  return length;
}

}  // namespace

HttpAnswers::Outcome HttpAnswers::ReadFrom(int fd) {
  if (taken_) {
    input_.clear();
    taken_ = false;
  }
  std::array<char, 8192> block;
  const ssize_t got = recv(fd, block.data(), block.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Outcome::kMore;
  if (got <= 0) return Outcome::kBroken;
  input_.append(block.data(), static_cast<size_t>(got));

  const std::string_view input = input_;
  const size_t head_end = input.find("\r\n\r\n");
  if (head_end == std::string_view::npos) return Outcome::kMore;
  const std::string_view head = input.substr(0, head_end + 2);
  const std::string_view body = input.substr(head_end + 4);
  const auto length = ContentLength(head);
  if (!length || body.size() > *length) return Outcome::kBroken;
  if (body.size() < *length) return Outcome::kMore;
  answer_ = {.head = head, .body = body};
  taken_ = true;
  return Outcome::kAnswer;
}

int ConnectTo(const std::string& address) {
  const auto parsed = ParseListenAddress(address);
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  if (!parsed.ok() || inet_pton(AF_INET, parsed->host.c_str(), &peer.sin_addr) != 1) {
    errno = EINVAL;
    return -1;
  }
  peer.sin_port = htons(parsed->port);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)) != 0 ||
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) {
    if (fd >= 0) close(fd);
    return -1;
  }
  return fd;
}

}  // namespace refund_relay::bench
