#include "server/ops/grpc_liveness.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"

namespace refund_relay {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

// RFC 9113: the client's preface, then its SETTINGS frame, here an empty one.
constexpr std::string_view kPreface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 24 + 9);
constexpr size_t kFrameHeaderBytes = 9;
constexpr size_t kFrameTypeAt = 3;
constexpr char kSettingsFrame = 4;
constexpr char kTlsHandshakeRecord = 22;  // RFC 8446; an alert would be 21

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

// `address` as connect() wants it; size 0 if it holds no IP address.
SocketAddress Reachable(const ListenAddress& address) {
  SocketAddress result;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&result.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&result.storage);
  if (inet_pton(AF_INET, address.host.c_str(), &v4->sin_addr) == 1) {
    if (v4->sin_addr.s_addr == htonl(INADDR_ANY)) v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    result.size = sizeof(*v4);
  } else if (inet_pton(AF_INET6, address.host.c_str(), &v6->sin6_addr) == 1) {
    if (IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr)) v6->sin6_addr = in6addr_loopback;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
    result.size = sizeof(*v6);
  }
  return result;
}

absl::Status PortError(const ListenAddress& address, std::string_view what) {
  return absl::UnavailableError(absl::StrCat("the gRPC port ", address.ToString(), " ", std::string(what)));
}

absl::Status PortError(const ListenAddress& address, std::string_view what, int error) {
  return PortError(address, absl::StrCat(std::string(what), ": ", std::generic_category().message(error)));
}

// Gives the unconnected `socket` a port of its own; 0 with errno set if there is none.
uint16_t BindToFreePort(int socket, sa_family_t family) {
  SocketAddress any;
  any.storage.ss_family = family;  // all zeroes otherwise: any address, any port
  any.size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  auto* const bound = reinterpret_cast<sockaddr*>(&any.storage);
  if (bind(socket, bound, any.size) != 0 || getsockname(socket, bound, &any.size) != 0) return 0;
  return ntohs(family == AF_INET ? reinterpret_cast<sockaddr_in*>(bound)->sin_port
                                 : reinterpret_cast<sockaddr_in6*>(bound)->sin6_port);
}

// What a TLS client sends first.
std::string ClientHello() {
  SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  SSL* const client = SSL_new(context);
  BIO* const out = BIO_new(BIO_s_mem());
  SSL_set_bio(client, BIO_new(BIO_s_mem()), out);  // owned by `client`
  const unsigned char h2[] = {2, 'h', '2'};
  SSL_set_alpn_protos(client, h2, sizeof(h2));
  SSL_connect(client);  // stops where it would read
  char* bytes = nullptr;
  const auto size = BIO_get_mem_data(out, &bytes);  // NOLINT: a macro with a C cast
  std::string hello(bytes, static_cast<size_t>(size));
  SSL_free(client);
  SSL_CTX_free(context);
  return hello;
}

// Waits until `socket` is ready for `events`; false once `deadline` has passed.
bool Await(int socket, short events, SteadyTime deadline) {  // NOLINT(google-runtime-int): poll's own type
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd ready{socket, events, 0};
    if (poll(&ready, 1, static_cast<int>(left.count())) > 0) return true;
  }
}

}  // namespace

absl::Status CheckGrpcPort(const ListenAddress& address, absl::Duration timeout, bool tls,
                           const std::function<void(uint16_t)>& announce) {
  const auto deadline = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(timeout);
  const SocketAddress peer = Reachable(address);
  const int connection = socket(peer.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (connection < 0) return PortError(address, "cannot be tried", errno);
  const absl::Cleanup close_connection = [connection, &announce] {
    if (announce) announce(0);
    close(connection);
  };
  if (announce) {
    const uint16_t source_port = BindToFreePort(connection, peer.storage.ss_family);
    if (source_port == 0) return PortError(address, "cannot be tried", errno);
    announce(source_port);
  }

  if (connect(connection, reinterpret_cast<const sockaddr*>(&peer.storage), peer.size) != 0) {
    if (errno != EINPROGRESS) return PortError(address, "takes no connection", errno);
    if (!Await(connection, POLLOUT, deadline)) return PortError(address, "takes no connection in time");
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(connection, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
      return PortError(address, "takes no connection", error);
    }
  }
  // Either fits into the empty send buffer of a new connection.
  const std::string first = tls ? ClientHello() : std::string(kPreface);
  if (send(connection, first.data(), first.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(first.size())) {
    return PortError(address, "takes no bytes", errno);
  }
  char header[kFrameHeaderBytes];
  const size_t wanted = tls ? 1 : sizeof(header);
  size_t filled = 0;
  while (filled < wanted) {
    if (!Await(connection, POLLIN, deadline)) return PortError(address, "accepts connections but does not answer");
    const ssize_t got = recv(connection, header + filled, wanted - filled, 0);
    if (got == 0) return PortError(address, "closes connections without an answer");
    if (got < 0 && errno != EAGAIN && errno != EINTR) return PortError(address, "breaks connections", errno);
    filled += static_cast<size_t>(std::max<ssize_t>(got, 0));
  }
  if (tls) {
    return header[0] == kTlsHandshakeRecord ? absl::OkStatus() : PortError(address, "refuses a TLS handshake");
  }
  if (header[kFrameTypeAt] != kSettingsFrame) return PortError(address, "does not speak HTTP/2");
  return absl::OkStatus();
}

GrpcLiveness::GrpcLiveness(absl::Duration timeout) : timeout_(timeout), thread_([this] { Run(); }) {}

GrpcLiveness::~GrpcLiveness() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

void GrpcLiveness::SetAddress(ListenAddress address, bool tls, std::function<void(uint16_t)> announce) {
  absl::MutexLock lock(&mutex_);
  announce_ = std::move(announce);
  tls_ = tls;
  address_ = std::move(address);
}

void GrpcLiveness::Check(Done done) {
  {
    absl::MutexLock lock(&mutex_);
    if (waiting_.size() < kMaxWaitingChecks) {
      waiting_.push_back(std::move(done));
      return;
    }
  }
  done(absl::ResourceExhaustedError("too many liveness checks wait; ask less often"));
}

void GrpcLiveness::Run() {
  while (true) {
    std::optional<ListenAddress> address;
    std::function<void(uint16_t)> announce;
    bool tls = false;
    bool stopping = false;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &GrpcLiveness::WorkWaits));
      address = address_;
      tls = tls_;
      announce = announce_;
      stopping = stopping_;
    }
    absl::Status status;
    if (stopping) {
      status = absl::CancelledError("the server is stopping");
    } else if (address.has_value()) {
      status = CheckGrpcPort(*address, timeout_, tls, announce);
    }
    std::vector<Done> answered;
    {
      absl::MutexLock lock(&mutex_);
      answered.swap(waiting_);
    }
    for (const auto& done : answered) done(status);
    if (stopping) return;
  }
}

}  // namespace refund_relay
