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
#include <cstring>
#include <string>
#include <utility>
#include <vector>

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
// The thread that gives connections to gRPC needs some 100 microseconds for each. Longer than kIntakeLookInterval, and
// what the connection sends is looked at that often; kLongestIntake, and it is cut, as others wait behind it.
constexpr std::chrono::milliseconds kIntakeLookInterval(10);
constexpr std::chrono::seconds kLongestIntake(1);
constexpr absl::Duration kLineInterval = absl::Seconds(10);

// What epoll tells of, by number; connections follow.
constexpr uint64_t kWake = 0;
constexpr uint64_t kListener = 1;
constexpr uint64_t kFirstConnection = 2;

std::string ErrorText(int error) { return std::strerror(error); }

bool SetOption(int socket, int level, int option, int value) {
  return setsockopt(socket, level, option, &value, sizeof(value)) == 0;
}

}  // namespace

GrpcAcceptor::GrpcAcceptor(const Options& options, RpcMetrics& metrics)
    : options_(options),
      metrics_(metrics),
      quota_(options.max_connections, options.max_connections_per_peer),
      refusal_lines_(1, kLineInterval),
      accept_failure_lines_(1, kLineInterval),
      cut_lines_(1, kLineInterval),
      next_number_(kFirstConnection) {}

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
  listener_ = FileDescriptor(socket(host.is_v6() ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!listener_.valid() && errno == EAFNOSUPPORT && host.is_unspecified()) {
    host = ip::address_v4::any();  // a kernel without IPv6
    listener_ = FileDescriptor(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
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
  epoll_ = FileDescriptor(epoll_create1(EPOLL_CLOEXEC));
  wake_event_ = FileDescriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!listening || !epoll_.valid() || !wake_event_.valid() || !Watch(wake_event_, kWake, EPOLLIN)) {
    return absl::UnavailableError(absl::StrCat("cannot listen for gRPC on ", address.ToString(), ": ", ErrorText(errno),
                                               "; choose another --grpc_address"));
  }
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  getsockname(listener, reinterpret_cast<sockaddr*>(&bound), &size);
  port_ = EndpointOf(bound).value_or(Endpoint()).port();
  return absl::OkStatus();
}

bool GrpcAcceptor::Watch(const FileDescriptor& descriptor, uint64_t number, uint32_t events) const {
  epoll_event event{};
  event.events = events;
  event.data.u64 = number;
  return epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, descriptor.number(), &event) == 0;
}

void GrpcAcceptor::Start(std::function<void(int)> take) {
  intake_ = std::make_unique<GrpcIntake>(std::move(take));
  thread_ = std::thread([this] { Run(); });
}

void GrpcAcceptor::Wake() const {
  while (eventfd_write(wake_event_.number(), 1) != 0 && errno == EINTR) {
  }
}

void GrpcAcceptor::Close(std::chrono::steady_clock::time_point deadline) {
  if (intake_ == nullptr) return;
  intake_->Close();
  cut_all_at_ = deadline;
  Wake();
}

void GrpcAcceptor::Stop() {
  if (thread_.joinable()) {
    stopping_ = true;
    Wake();
    thread_.join();
    intake_->Close();
    // What is being given to gRPC may never end by itself.
    if (const auto current = intake_->current(); current.has_value()) {
      const auto found = connections_.find(current->connection);
      if (found != connections_.end()) End(found->second);
    }
    intake_->Stop();
  }
  listener_ = FileDescriptor();
  metrics_.CountConnections(-static_cast<double>(connections_.size()));
  connections_.clear();
}

void GrpcAcceptor::Run() {
  if (!Watch(listener_, kListener, EPOLLIN)) PauseAccepting();
  std::vector<epoll_event> events(kEventsAtOnce);
  while (true) {
    const auto rest = intake_->current().has_value() ? kIntakeLookInterval
                      : paused_                      ? kAcceptPause
                      : connections_.empty()         ? std::chrono::milliseconds(-1)
                                                     : kLeastLookInterval;
    const int count = epoll_wait(epoll_.number(), events.data(), kEventsAtOnce, static_cast<int>(rest.count()));
    bool connections_wait = false;
    for (int i = 0; i < count; ++i) {
      const uint64_t number = events[i].data.u64;
      if (number == kWake) {
        if (stopping_) return;
        eventfd_t calls = 0;
        eventfd_read(wake_event_.number(), &calls);
        listener_ = FileDescriptor();
      } else if (number == kListener) {
        connections_wait = true;
      } else if ((events[i].events & EPOLLHUP) != 0) {
        OnHangUp(number);
      }
    }
    if (paused_ && std::chrono::steady_clock::now() >= paused_until_) {
      paused_ = listener_.valid() && !Watch(listener_, kListener, EPOLLIN);
    }
    if (connections_wait && listener_.valid()) AcceptWaiting();
    LookAtIntake();
    if (std::chrono::steady_clock::now() >= cut_all_at_.load()) {
      for (auto& [number, connection] : connections_) End(connection);
    }
    if (const auto now = std::chrono::steady_clock::now(); now >= next_look_) {
      for (auto& [number, connection] : connections_) CutIfIdleInput(connection);
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
  FileDescriptor socket(
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
  connection.name = {*from, next_number_++};
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
  connection.duplicate = FileDescriptor(fcntl(socket.number(), F_DUPFD_CLOEXEC, 0));
  // A hang-up is always told; edge-triggered, because an error that is none would be told again and again.
  if (!connection.duplicate.valid() || !Watch(connection.duplicate, connection.name.number, EPOLLET)) {
    PauseAccepting();
    return false;
  }
  std::move(give_back).Cancel();
  metrics_.CountConnections(+1);
  input_.Opened(connection.name);
  intake_->Give(connection.name.number, std::move(socket));
  connections_.emplace(connection.name.number, std::move(connection));
  return true;
}

bool GrpcAcceptor::IsProbe(const FileDescriptor& socket, const Endpoint& from) const {
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

void GrpcAcceptor::CutIfIdleInput(Connection& connection) {
  const std::optional<TcpBytes> bytes = BytesOf(connection.duplicate.number());
  if (bytes.has_value() && input_.IsTooMuch(connection.name, *bytes, absl::Now())) {
    Cut(connection, "it sends much and calls too little that lets it in");
  }
}

void GrpcAcceptor::LookAtIntake() {
  const std::optional<GrpcIntake::Current> current = intake_->current();
  if (!current.has_value()) return;
  const auto taken = std::chrono::steady_clock::now() - current->since;
  if (taken < kIntakeLookInterval) return;
  const auto found = connections_.find(current->connection);
  if (found == connections_.end()) return;  // it is over already
  if (taken >= kLongestIntake) {
    Cut(found->second, "from its first moment it has sent faster than gRPC reads, so that no other could connect");
  } else {
    CutIfIdleInput(found->second);
  }
}

void GrpcAcceptor::Cut(Connection& connection, std::string_view why) {
  if (connection.ended) return;
  metrics_.CountCutConnection();  // first: who sees the end may look at the count
  End(connection);
  const auto left_out = cut_lines_.Admit(absl::Now());
  if (!left_out.has_value()) return;
  const std::optional<TcpBytes> bytes = BytesOf(connection.duplicate.number());
  Log(LogLevel::kWarning, absl::StrCat("gRPC connection cut: ", std::string(why)),
      {{"peer", PeerAddress::Of(connection.name.peer.address()).ToString()},
       {"received_bytes", bytes.has_value() ? bytes->received : 0},
       {"cuts_not_logged", *left_out}});
}

void GrpcAcceptor::End(Connection& connection) {
  if (std::exchange(connection.ended, true)) return;
  const int duplicate = connection.duplicate.number();
  // A reset when the last descriptor is closed: a peer that still sends would wait for room for ever.
  const linger reset{1, 0};
  setsockopt(duplicate, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  shutdown(duplicate, SHUT_RDWR);  // gRPC reads the end of it, and so do we
}

void GrpcAcceptor::OnHangUp(uint64_t number) {
  const auto found = connections_.find(number);
  if (found == connections_.end()) return;
  const Connection& connection = found->second;
  const int duplicate = connection.duplicate.number();
  input_.Closed(connection.name);
  if (const auto bytes = BytesOf(duplicate); bytes.has_value() && bytes->received <= 1)
    metrics_.CountSilentConnection();
  metrics_.CountConnections(-1);
  if (connection.counted_as.has_value()) quota_.GiveBack(*connection.counted_as);
  // Closing it would not end the watch while gRPC's descriptor of the same socket is open, as it may be for a moment.
  epoll_ctl(epoll_.number(), EPOLL_CTL_DEL, duplicate, nullptr);
  connections_.erase(found);
}

}  // namespace refund_relay
