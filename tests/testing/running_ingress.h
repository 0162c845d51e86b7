// RunningIngress: a whole ingress on a loopback port, over a ScriptedEventLog, and the requests to send it.
#ifndef REFUND_RELAY_TESTS_TESTING_RUNNING_INGRESS_H_
#define REFUND_RELAY_TESTS_TESTING_RUNNING_INGRESS_H_

#include <prometheus/registry.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/ingress/ingress.h"
#include "server/log/memory_event_log.h"
#include "server/stream/history_reader.h"
#include "tests/testing/http_peer.h"
#include "tests/testing/scripted_event_log.h"

namespace refund_relay::testing {

inline constexpr std::string_view kSecret = "whsec-of-the-vendor";
inline constexpr std::string_view kBasicPair = "api-key:api:secret";
inline constexpr std::string_view kSecretFile = "/run/secrets/webhook_secrets";
inline constexpr std::string_view kBasicFile = "/run/secrets/webhook_basic";

// Lower-case hex HMAC-SHA256, computed by other means than the server's.
std::string Sign(std::string_view body, std::string_view secret = kSecret);
// `Basic <base64>`.
std::string BasicHeader(std::string_view pair = kBasicPair);

// A valid webhook; another `refund_id` makes another event.
std::string WebhookBody(std::string_view refund_id = "65e02242d03692125f1f3593");

// A request, put together as told.
struct RequestText {
  std::string line = "POST /webhooks/refund HTTP/1.1";
  std::vector<std::string> fields;
  std::string body;

  std::string Text() const;
};

// POST with Host, Content-Type, Content-Length and `extra`; unsigned.
RequestText Request(std::string_view body, std::vector<std::string> extra = {});
// Likewise, with the right signature. The text.
std::string SignedRequest(std::string_view body, std::vector<std::string> extra = {});

class RunningIngress {
 public:
  struct Settings {
    HttpOptions http = {};
    double max_webhooks_per_second = 0;
    std::string host = "127.0.0.1";
    size_t max_quarantined_webhooks = kDefaultMaxQuarantinedWebhooks;
  };

  RunningIngress() : RunningIngress(Settings()) {}
  explicit RunningIngress(const Settings& settings);
  ~RunningIngress();

  HttpPeer Connect() { return HttpPeer(ingress_->port()); }
  HttpPeer ConnectFrom(const char* source) { return HttpPeer(ingress_->port(), source); }
  // One request on a connection of its own.
  HttpReply Exchange(std::string_view request) { return Connect().Exchange(request); }
  // The sample of a counter or gauge, such as `refund_relay_webhooks_total` with {"result", "accepted"}; -1 if absent.
  double Metric(const std::string& name, const std::string& label = "", const std::string& value = "") const;
  std::vector<std::string> log_lines() const ABSL_LOCKS_EXCLUDED(lines_mutex_);

  const Settings settings;
  ScriptedEventLog log;
  // Its quarantine is the ingress's.
  MemoryEventLog kept{MemoryEventLog::Options{.max_quarantined_webhooks = settings.max_quarantined_webhooks}};
  HistoryReader history{log, 1};
  Publisher publisher{log, kept.quarantine(), history};
  CredentialStore credentials{{std::string(kSecretFile)}, {std::string(kBasicFile)}};
  Ingress& ingress() { return *ingress_; }

 private:
  prometheus::Registry registry_;
  IngressMetrics metrics_{registry_};
  std::unique_ptr<Ingress> ingress_;
  mutable absl::Mutex lines_mutex_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(lines_mutex_);
};

}  // namespace refund_relay::testing

#endif  // REFUND_RELAY_TESTS_TESTING_RUNNING_INGRESS_H_
