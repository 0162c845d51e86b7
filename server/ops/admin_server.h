// AdminServer: /livez, /readyz and /metrics over HTTP.
#ifndef REFUND_RELAY_SERVER_OPS_ADMIN_SERVER_H_
#define REFUND_RELAY_SERVER_OPS_ADMIN_SERVER_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/ops/listen_address.h"
#include "server/ops/readiness.h"
#include "server/ops/tls_store.h"

namespace refund_relay {

// What the admin server asks. All are called on its one thread, so they must not block.
struct AdminHandlers {
  // /livez: calls its argument exactly once, on any thread, within a bounded time. An error means: restart me.
  std::function<void(std::function<void(absl::Status)>)> liveness;
  // /readyz.
  std::vector<ReadinessCheck> readiness;
  // /metrics, in the text format 0.0.4.
  std::function<std::string()> metrics;
};

struct AdminServerOptions {
  // One more closes the oldest: connections that nobody uses cannot shut a probe out.
  size_t max_connections = 64;
  // From accept to the end of the answer.
  absl::Duration connection_deadline = absl::Seconds(10);
  // Loaded; outlives the server. Null: plain text.
  const TlsStore* tls = nullptr;
};

// Serves GET and HEAD on one thread of its own, one request a connection. Knows nothing of what stands behind the
// handlers.
class AdminServer {
 public:
  // A longer request header is answered 431.
  static constexpr size_t kMaxHeaderBytes = 8192;

  // Listens on `address` (port 0 picks a free one). UNAVAILABLE if it cannot.
  static absl::StatusOr<std::unique_ptr<AdminServer>> Start(const ListenAddress& address, AdminHandlers handlers,
                                                            AdminServerOptions options = {});

  // Closes every connection and joins the thread, which waits for the answers of liveness that are still out.
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  // With the port that is really listened on.
  const ListenAddress& address() const;

 private:
  class Impl;
  explicit AdminServer(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_ADMIN_SERVER_H_
