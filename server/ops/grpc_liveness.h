// GrpcLiveness: does the gRPC port still take connections?
#ifndef REFUND_RELAY_SERVER_OPS_GRPC_LIVENESS_H_
#define REFUND_RELAY_SERVER_OPS_GRPC_LIVENESS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/ops/listen_address.h"

namespace refund_relay {

// Opens a connection to the port, sends the preface that an HTTP/2 client starts with and wants the server's SETTINGS
// frame back within `timeout`, connection included. Blocks for up to `timeout`. No RPC: a server whose accept loop
// ended, or whose queue threads are stuck, fails; one that waits for storage does not.
//
// With `tls` it sends a ClientHello instead, and wants the first bytes of a TLS handshake: it needs no certificate.
//
// UNAVAILABLE tells what was wrong. A wildcard address is reached through loopback.
//
// `announce`, if there is one, is told the port that the connection comes from before it is made, and 0 afterwards.
absl::Status CheckGrpcPort(const ListenAddress& address, absl::Duration timeout, bool tls = false,
                           const std::function<void(uint16_t source_port)>& announce = nullptr);

// Runs that check on a thread of its own, for `/livez`. Thread-safe, but for the destructor, which joins the thread.
class GrpcLiveness {
 public:
  using Done = std::function<void(absl::Status)>;

  // More are refused: they would not come from a probe.
  static constexpr size_t kMaxWaitingChecks = 256;

  explicit GrpcLiveness(absl::Duration timeout = absl::Seconds(1));
  // Answers what still waits CANCELLED; takes up to the time-out.
  ~GrpcLiveness();
  GrpcLiveness(const GrpcLiveness&) = delete;
  GrpcLiveness& operator=(const GrpcLiveness&) = delete;

  // What to check. Until it is called the server is starting, and every check is OK: a restart would not help.
  // `announce` (see CheckGrpcPort) is called on the check's thread.
  void SetAddress(ListenAddress address, bool tls = false,
                  std::function<void(uint16_t source_port)> announce = nullptr);

  // Calls `done` exactly once, with the result of a check that ends after this call; RESOURCE_EXHAUSTED at once if too
  // many wait. Does not block. `done` runs on the thread of the check or on the caller's and must be quick.
  void Check(Done done);

 private:
  void Run();
  bool WorkWaits() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || !waiting_.empty(); }

  // Constant after construction.
  const absl::Duration timeout_;

  absl::Mutex mutex_;
  std::optional<ListenAddress> address_ ABSL_GUARDED_BY(mutex_);
  bool tls_ ABSL_GUARDED_BY(mutex_) = false;
  std::function<void(uint16_t)> announce_ ABSL_GUARDED_BY(mutex_);
  std::vector<Done> waiting_ ABSL_GUARDED_BY(mutex_);  // they share the check that runs
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_GRPC_LIVENESS_H_
