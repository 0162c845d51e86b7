#include "server/rpc/grpc_acceptor.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/ops/logging.h"
#include "server/ops/tcp_bytes.h"

namespace refund_relay {
namespace {

namespace ip = boost::asio::ip;

constexpr int kListenBacklog = 4096;  // the kernel cuts it to net.core.somaxconn
constexpr int kEventsAtOnce = 64;
// Between two looks at connections that have ended, so that a flood of new ones does not keep those counted.
constexpr int kAcceptsAtOnce = 64;
// After a failed accept (no file descriptors left, say) the loop rests so long; the peers wait in the backlog.
constexpr std::chrono::milliseconds kAcceptPause(50);
// Between two looks at what connections have sent. A look takes some microseconds for each.
constexpr std::chrono::milliseconds kLeastLookInterval(100);
constexpr std::chrono::microseconds kLookIntervalPerConnection(100);
constexpr absl::Duration kLineInterval = absl::Seconds(10);

std::string ErrorText(int error) { return std::generic_category().message(error); }

bool SetOption(int socket, int level, int option, int value) {
  return setsockopt(socket, level, option, &value, sizeof(value)) == 0;
}

}  // namespace

GrpcAcceptor::Descriptor::~Descriptor() {
  if (valid()) close(number_);
}

GrpcAcceptor::GrpcAcceptor(const Options& options, RpcMetrics& metrics)
    : options_(options),
      metrics_(metrics),
      quota_(options.max_connections, options.max_connections_per_peer),
      refusal_lines_(1, kLineInterval),
      accept_failure_lines_(1, kLineInterval),
      cut_lines_(1, kLineInterval) {}

GrpcAcceptor::~GrpcAcceptor() { Stop(); }

absl::StatusOr<std::unique_ptr<GrpcAcceptor>> GrpcAcceptor::Listen(const ListenAddress& address, const Options& options,
                                                                   RpcMetrics& metrics) {
  std::unique_ptr<GrpcAcceptor> acceptor(new GrpcAcceptor(options, metrics));
  if (absl::Status status = acceptor->Bind(address); !status.ok()) return status;
  return acceptor;
}

absl::Status GrpcAcceptor::Bind(const ListenAddress& address) {
  boost::system::error_code wrong;
  ip::address host = ip::make_address(address.host, wrong);
  if (wrong) return absl::InvalidArgumentError(absl::StrCat("\"", address.host, "\" is not an IP address"));
  if (host.is_unspecified()) host = ip::address_v6::any();
  listener_ = Descriptor(socket(host.is_v6() ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!listener_.valid() && errno == EAFNOSUPPORT && host.is_unspecified()) {
    host = ip::address_v4::any();  // a kernel without IPv6
    listener_ = Descriptor(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  }
  const int listener = listener_.number();
  ip::tcp::endpoint endpoint(host, address.port);
  // Accepted sockets inherit the TCP options. Not SO_REUSEPORT: two servers on one port would each get half of the
  // subscribers.
  const bool listening = listener_.valid() && SetOption(listener, SOL_SOCKET, SO_REUSEADDR, 1) &&
                         (!host.is_v6() || SetOption(listener, IPPROTO_IPV6, IPV6_V6ONLY, 0)) &&
                         SetOption(listener, IPPROTO_TCP, TCP_NODELAY, 1) &&
                         SetOption(listener, IPPROTO_TCP, TCP_USER_TIMEOUT,
                                   static_cast<int>(absl::ToInt64Milliseconds(options_.unacknowledged_timeout))) &&
                         bind(listener, endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0 &&
                         listen(listener, kListenBacklog) == 0;
  epoll_ = Descriptor(epoll_create1(EPOLL_CLOEXEC));
  stop_event_ = Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!listening || !epoll_.valid() || !stop_event_.valid() || !Watch(stop_event_, EPOLLIN)) {
    return absl::UnavailableError(absl::StrCat("cannot listen for gRPC on ", address.ToString(), ": ", ErrorText(errno),
                                               "; choose another --grpc_address"));
  }
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  getsockname(listener, reinterpret_cast<sockaddr*>(&bound), &size);
  port_ = EndpointOf(bound).value_or(Endpoint()).port();
  return absl::OkStatus();
}

bool GrpcAcceptor::Watch(const Descriptor& descriptor, uint32_t events) const {
  epoll_event event{};
  event.events = events;
  event.data.fd = descriptor.number();
  return epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, descriptor.number(), &event) == 0;
}

void GrpcAcceptor::Start(std::function<void(int)> take) {
  take_ = std::move(take);
  thread_ = std::thread([this] { Run(); });
}

void GrpcAcceptor::Stop() {
  if (thread_.joinable()) {
    const uint64_t one = 1;
    while (write(stop_event_.number(), &one, sizeof(one)) < 0 && errno == EINTR) {
    }
    thread_.join();
  }
  listener_ = Descriptor();
  metrics_.CountConnections(-static_cast<double>(connections_.size()));
  connections_.clear();
}

void GrpcAcceptor::Run() {
  if (!Watch(listener_, EPOLLIN)) PauseAccepting();
  std::vector<epoll_event> events(kEventsAtOnce);
  while (true) {
    const auto rest = paused_                ? kAcceptPause
                      : connections_.empty() ? std::chrono::milliseconds(-1)
                                             : kLeastLookInterval;
    const int count = epoll_wait(epoll_.number(), events.data(), kEventsAtOnce, static_cast<int>(rest.count()));
    bool connections_wait = false;
    for (int i = 0; i < count; ++i) {
      const int descriptor = events[i].data.fd;
      if (descriptor == stop_event_.number()) return;
      if (descriptor == listener_.number()) {
        connections_wait = true;
      } else if ((events[i].events & EPOLLHUP) != 0) {
        OnHangUp(descriptor);
      }
    }
    if (paused_ && std::chrono::steady_clock::now() >= paused_until_ && Watch(listener_, EPOLLIN)) paused_ = false;
    if (connections_wait) AcceptWaiting();
    if (const auto now = std::chrono::steady_clock::now(); now >= next_look_) {
      CutIdleInput();
      next_look_ = now + std::max<std::chrono::steady_clock::duration>(
                             kLeastLookInterval, connections_.size() * kLookIntervalPerConnection);
    }
  }
}

void GrpcAcceptor::AcceptWaiting() {
  for (int i = 0; i < kAcceptsAtOnce; ++i) {
    if (!AcceptOne()) return;
  }
}

bool GrpcAcceptor::AcceptOne() {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  Descriptor socket(
      accept4(listener_.number(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket.valid()) {
    if (errno == EAGAIN) return false;
    if (errno == ECONNABORTED || errno == EINTR) return true;
    PauseAccepting();
    return false;
  }
  const std::optional<Endpoint> from = EndpointOf(address);
  if (!from.has_value()) return true;
  Connection connection;
  connection.peer = *from;
  if (!IsProbe(socket, *from)) {
    const PeerAddress peer = PeerAddress::Of(from->address());
    const PeerQuota::Verdict verdict = quota_.Take(peer);
    if (verdict != PeerQuota::Verdict::kTaken) {
      Refuse(verdict, peer);
      return true;
    }
    connection.counted_as = peer;
  }
  absl::Cleanup give_back = [&] {
    if (connection.counted_as.has_value()) quota_.GiveBack(*connection.counted_as);
  };
  connection.duplicate = Descriptor(fcntl(socket.number(), F_DUPFD_CLOEXEC, 0));
  // A hang-up is always told; edge-triggered, because an error that is none would be told again and again.
  if (!connection.duplicate.valid() || !Watch(connection.duplicate, EPOLLET)) {
    PauseAccepting();
    return false;
  }
  std::move(give_back).Cancel();
  metrics_.CountConnections(+1);
  input_.Opened(*from);
  const int duplicate = connection.duplicate.number();
  connections_.emplace(duplicate, std::move(connection));
  take_(socket.Release());
  return true;
}

bool GrpcAcceptor::IsProbe(const Descriptor& socket, const Endpoint& from) const {
  if (from.port() != probe_port_.load()) return false;
  sockaddr_storage local{};
  socklen_t size = sizeof(local);
  if (getsockname(socket.number(), reinterpret_cast<sockaddr*>(&local), &size) != 0) return false;
  const std::optional<Endpoint> to = EndpointOf(local);
  return to.has_value() && to->address() == from.address();
}

void GrpcAcceptor::PauseAccepting() {
  if (const auto left_out = accept_failure_lines_.Admit(absl::Now()); left_out.has_value()) {
    Log(LogLevel::kWarning, "cannot accept gRPC connections for now; raise the limit of open files if it is that",
        {{"cause", ErrorText(errno)}, {"open_connections", connections_.size()}, {"lines_left_out", *left_out}});
  }
  epoll_ctl(epoll_.number(), EPOLL_CTL_DEL, listener_.number(), nullptr);
  paused_ = true;
  paused_until_ = std::chrono::steady_clock::now() + kAcceptPause;
}

void GrpcAcceptor::Refuse(PeerQuota::Verdict verdict, const PeerAddress& peer) {
  metrics_.CountRefusedConnection(verdict);
  const auto left_out = refusal_lines_.Admit(absl::Now());
  if (!left_out.has_value()) return;
  const bool of_peer = verdict == PeerQuota::Verdict::kFullForPeer;
  Log(LogLevel::kWarning, "gRPC connection refused: too many are open",
      {{"peer", peer.ToString()},
       {"flag", of_peer ? "--max_grpc_connections_per_peer" : "--max_grpc_connections"},
       {"limit", of_peer ? quota_.limit_per_peer() : quota_.limit()},
       {"refusals_not_logged", *left_out}});
}

void GrpcAcceptor::CutIdleInput() {
  const absl::Time now = absl::Now();
  for (const auto& [duplicate, connection] : connections_) {
    const std::optional<TcpBytes> bytes = BytesOf(duplicate);
    if (!bytes.has_value() || !input_.IsTooMuch(connection.peer, *bytes, now)) continue;
    metrics_.CountCutConnection();  // first: who sees the end may look at the count
    // A reset when the last descriptor is closed: a peer that still sends would wait for room for ever.
    const linger reset{1, 0};
    setsockopt(duplicate, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    shutdown(duplicate, SHUT_RDWR);  // gRPC reads the end of it, and so do we
    const auto left_out = cut_lines_.Admit(now);
    if (!left_out.has_value()) continue;
    Log(LogLevel::kWarning, "gRPC connection cut: it sends much and calls nothing that lets it in",
        {{"peer", PeerAddress::Of(connection.peer.address()).ToString()},
         {"received_bytes", bytes->received},
         {"cuts_not_logged", *left_out}});
  }
}

void GrpcAcceptor::OnHangUp(int duplicate) {
  const auto found = connections_.find(duplicate);
  if (found == connections_.end()) return;
  input_.Closed(found->second.peer);
  if (const auto bytes = BytesOf(duplicate); bytes.has_value() && bytes->received <= 1)
    metrics_.CountSilentConnection();
  metrics_.CountConnections(-1);
  if (found->second.counted_as.has_value()) quota_.GiveBack(*found->second.counted_as);
  // Closing it would not end the watch while gRPC's descriptor of the same socket is open, as it may be for a moment.
  epoll_ctl(epoll_.number(), EPOLL_CTL_DEL, duplicate, nullptr);
  connections_.erase(found);
}

}  // namespace refund_relay
