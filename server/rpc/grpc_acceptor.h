// GrpcAcceptor: the listening socket of the gRPC port, and the bounds on what comes in through it.
#ifndef REFUND_RELAY_SERVER_RPC_GRPC_ACCEPTOR_H_
#define REFUND_RELAY_SERVER_RPC_GRPC_ACCEPTOR_H_

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/ops/file_descriptor.h"
#include "server/ops/listen_address.h"
#include "server/ops/log_limiter.h"
#include "server/ops/peer_address.h"
#include "server/ops/peer_quota.h"
#include "server/rpc/grpc_intake.h"
#include "server/rpc/idle_input.h"
#include "server/rpc/rpc_metrics.h"

namespace refund_relay {

// gRPC 1.51 takes every connection that comes, and its accept loop ends for good when descriptors run out
// (CVE-2023-4785). So the port is ours: a thread accepts, counts against two limits, and hands the descriptors that are
// within them to gRPC (ServerBuilder's AddExternalConnectionAcceptor).
//
// It also cuts connections that send much and call too little (IdleInput), and those that keep the thread which gives
// connections to gRPC (GrpcIntake).
//
// That a connection is over it learns from the kernel: it keeps a duplicate of each descriptor that no one reads or
// writes. gRPC calls shutdown(2) before it closes one, so peers see the end at once all the same, and the duplicate
// tells of a hang-up. A connection takes two descriptors therefore.
//
// Listen, Start, Stop by one thread; the others by any. Blocks only in Stop.
class GrpcAcceptor {
 public:
  static constexpr int kDescriptorsPerConnection = 2;

  struct Options {
    size_t max_connections = 16384;
    size_t max_connections_per_peer = 0;  // see PeerQuota
    // A connection whose bytes nobody acknowledges for so long is cut by the kernel.
    absl::Duration unacknowledged_timeout = absl::Seconds(10);
  };

  // Binds `address`; a wildcard, of either family, is both families. UNAVAILABLE if it cannot. `metrics` outlives it.
  static absl::StatusOr<std::unique_ptr<GrpcAcceptor>> Listen(const ListenAddress& address, const Options& options,
                                                              RpcMetrics& metrics);
  // Stops.
  ~GrpcAcceptor();
  GrpcAcceptor(const GrpcAcceptor&) = delete;
  GrpcAcceptor& operator=(const GrpcAcceptor&) = delete;

  uint16_t port() const { return port_; }

  // Accepts from now on. `take`: see GrpcIntake.
  void Start(std::function<void(int socket)> take);

  // The next connection from this port of this machine is our own probe and is within every limit; 0 = none.
  void ExpectProbe(uint16_t source_port) { probe_port_ = source_port; }

  // Tell it each call that begins.
  IdleInput& input() { return input_; }

  // Takes no more connections from now on. Those that are still there at `deadline` are ended: gRPC's shutdown would
  // wait for a peer that sends without pause.
  void Close(std::chrono::steady_clock::time_point deadline);

  // Closes, and joins the threads; connections that gRPC has go on, uncounted. Safe to call twice.
  void Stop();

 private:
  using Endpoint = boost::asio::ip::tcp::endpoint;

  struct Connection {
    FileDescriptor duplicate;
    IdleInput::Connection name;
    std::optional<PeerAddress> counted_as;  // not set: our own probe
    bool ended = false;                     // by us
  };

  GrpcAcceptor(const Options& options, RpcMetrics& metrics);

  absl::Status Bind(const ListenAddress& address);
  // Has `epoll_` tell of `events` on the descriptor, under `number`; false with errno set.
  bool Watch(const FileDescriptor& descriptor, uint64_t number, uint32_t events) const;
  void Wake() const;
  void Run();
  void AcceptWaiting();
  // False when nothing waits, or accepting must pause.
  bool AcceptOne();
  bool IsProbe(const FileDescriptor& socket, const Endpoint& from) const;
  void PauseAccepting();
  void Refuse(PeerQuota::Verdict verdict, const PeerAddress& peer);
  void CutIfIdleInput(Connection& connection);
  // Ends what has kept the intake for long.
  void LookAtIntake();
  // Ends a connection that does wrong: counted, and logged with the reason.
  void Cut(Connection& connection, std::string_view why);
  static void End(Connection& connection);
  void OnHangUp(uint64_t number);

  const Options options_;
  RpcMetrics& metrics_;
  PeerQuota quota_;
  LogLimiter refusal_lines_;
  LogLimiter accept_failure_lines_;
  LogLimiter cut_lines_;
  IdleInput input_;
  uint16_t port_ = 0;
  FileDescriptor listener_;
  FileDescriptor epoll_;
  FileDescriptor wake_event_;
  std::atomic<uint16_t> probe_port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::chrono::steady_clock::time_point> cut_all_at_ = std::chrono::steady_clock::time_point::max();
  std::unique_ptr<GrpcIntake> intake_;
  std::thread thread_;

  // Of the thread.
  absl::flat_hash_map<uint64_t, Connection> connections_;  // by number
  uint64_t next_number_;
  bool paused_ = false;  // does not accept
  std::chrono::steady_clock::time_point paused_until_;
  std::chrono::steady_clock::time_point next_look_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_GRPC_ACCEPTOR_H_
