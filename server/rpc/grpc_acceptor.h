// GrpcAcceptor: the listening socket of the gRPC port, and the bounds on what comes in through it.
#ifndef REFUND_RELAY_SERVER_RPC_GRPC_ACCEPTOR_H_
#define REFUND_RELAY_SERVER_RPC_GRPC_ACCEPTOR_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/ops/listen_address.h"
#include "server/ops/log_limiter.h"
#include "server/ops/peer_address.h"
#include "server/ops/peer_quota.h"
#include "server/rpc/idle_input.h"
#include "server/rpc/rpc_metrics.h"

namespace refund_relay {

// gRPC 1.51 takes every connection that comes, and its accept loop ends for good when descriptors run out
// (CVE-2023-4785). So the port is ours: a thread accepts, counts against two limits, and hands the descriptors that are
// within them to gRPC (ServerBuilder's AddExternalConnectionAcceptor).
//
// It also cuts connections that send much and call nothing (IdleInput).
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

  // Accepts from now on. `take` becomes the owner of a connected, non-blocking socket; called on the acceptor's thread.
  void Start(std::function<void(int socket)> take);

  // The next connection from this port of this machine is our own probe and is within every limit; 0 = none.
  void ExpectProbe(uint16_t source_port) { probe_port_ = source_port; }

  // Tell it each call that begins.
  IdleInput& input() { return input_; }

  // Closes the listening socket and joins the thread; connections go on, uncounted. Safe to call twice.
  void Stop();

 private:
  // A descriptor that is closed at the end.
  class Descriptor {
   public:
    explicit Descriptor(int number = -1) : number_(number) {}
    ~Descriptor();
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
      std::swap(number_, other.number_);
      return *this;
    }
    int number() const { return number_; }
    bool valid() const { return number_ >= 0; }
    int Release() { return std::exchange(number_, -1); }

   private:
    int number_;
  };

  using Endpoint = IdleInput::Endpoint;

  struct Connection {
    Descriptor duplicate;
    Endpoint peer;
    std::optional<PeerAddress> counted_as;  // not set: our own probe
  };

  GrpcAcceptor(const Options& options, RpcMetrics& metrics);

  absl::Status Bind(const ListenAddress& address);
  // Has `epoll_` tell of `events` on the descriptor; false with errno set.
  bool Watch(const Descriptor& descriptor, uint32_t events) const;
  void Run();
  void AcceptWaiting();
  // False when nothing waits, or accepting must pause.
  bool AcceptOne();
  bool IsProbe(const Descriptor& socket, const Endpoint& from) const;
  void PauseAccepting();
  void Refuse(PeerQuota::Verdict verdict, const PeerAddress& peer);
  // Ends connections whose peers send without calling.
  void CutIdleInput();
  void OnHangUp(int duplicate);

  const Options options_;
  RpcMetrics& metrics_;
  PeerQuota quota_;
  LogLimiter refusal_lines_;
  LogLimiter accept_failure_lines_;
  LogLimiter cut_lines_;
  IdleInput input_;
  uint16_t port_ = 0;
  Descriptor listener_;
  Descriptor epoll_;
  Descriptor stop_event_;
  std::atomic<uint16_t> probe_port_ = 0;
  std::function<void(int)> take_;
  std::thread thread_;

  // Of the thread.
  absl::flat_hash_map<int, Connection> connections_;  // by the duplicate
  bool paused_ = false;                               // does not accept
  std::chrono::steady_clock::time_point paused_until_;
  std::chrono::steady_clock::time_point next_look_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_GRPC_ACCEPTOR_H_
