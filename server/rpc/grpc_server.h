// GrpcServer: the gRPC port with its services, threads and limits.
#ifndef REFUND_RELAY_SERVER_RPC_GRPC_SERVER_H_
#define REFUND_RELAY_SERVER_RPC_GRPC_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/ops/listen_address.h"
#include "server/ops/tls_store.h"
#include "server/rpc/access_control.h"
#include "server/rpc/call_context.h"
#include "server/rpc/rpc_metrics.h"
#include "server/rpc/stream_registry.h"

namespace refund_relay {

// Serves RefundEventService, AdminService, grpc.health.v1 and, if wanted, reflection. Threads are its own. `Start`,
// then `Drain`, then `Stop`; from one thread.
class GrpcServer {
 public:
  struct Options {
    ListenAddress address{"127.0.0.1", 50051};  // port 0 picks a free one; a wildcard is both families
    int threads = 2;                            // completion queues, each with one thread
    bool reflection = true;
    size_t max_streams = 10000;
    size_t max_streams_per_peer = 0;  // see PeerQuota
    size_t max_connections = 16384;
    size_t max_connections_per_peer = 0;  // likewise
    absl::Duration write_stall_timeout = absl::Seconds(30);
    absl::Duration max_stream_age = absl::Hours(1);  // infinite = none
    std::string server_instance;
    std::string server_version;
    const TlsStore* tls = nullptr;           // loaded; outlives the server. Null: plain text
    bool require_client_certificate = true;  // where `tls` has authorities for clients
  };

  // What it serves from. All must outlive the server.
  struct Parts {
    EventLog& log;
    PositionStore& positions;
    Quarantine& quarantine;
    FanOut& fan_out;
    HistoryReader& history;
    AppendCount& promotions;  // of quarantined webhooks to events, for the loss audit
    StreamRegistry& streams;
    RpcMetrics& metrics;
    AccessControl& access;
    const Clock& clock;
    ParseFunction parse;  // translates quarantined webhooks again
  };

  // UNAVAILABLE when the address cannot be listened on.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const Options& options, const Parts& parts);
  ~GrpcServer();

  // The port that it listens on.
  int port() const;

  // The next connection from this port of this machine is the server's own probe, which no limit refuses; 0 = none.
  // Any thread.
  void ExpectProbe(uint16_t source_port);

  // Health becomes NOT_SERVING, new streams are refused with DRAINING, and each open one is told going_away and ends.
  // Does not wait.
  void Drain(absl::Duration reconnect_after);

  // The policy in Parts::access may be another one now: streams whose rights are not what they were are told going_away
  // and end with POLICY_CHANGED. Does not wait. Any thread.
  void PolicyChanged();

  // Waits until all calls have ended, cuts those that have not by `deadline`, and joins the threads. `history` is
  // stopped on the way, because its turns complete calls.
  void Stop(absl::Time deadline);

 private:
  class Impl;
  explicit GrpcServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_GRPC_SERVER_H_
