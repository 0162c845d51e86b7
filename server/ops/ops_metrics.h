// OpsMetrics: what operations themselves count.
#ifndef REFUND_RELAY_SERVER_OPS_OPS_METRICS_H_
#define REFUND_RELAY_SERVER_OPS_OPS_METRICS_H_

#include <string>

#include "absl/time/time.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/registry.h"

namespace refund_relay {

// Thread-safe. `registry` must outlive it.
class OpsMetrics {
 public:
  // Registers `build_info{version, compiler}`, which is always 1.
  explicit OpsMetrics(prometheus::Registry& registry);

  // `config_last_reload_successful{file}`: whether the newest content of a watched file is the one in use. `file` is
  // its path. Call it at start too, so that the series exists before anything fails.
  void FileLoaded(const std::string& file, bool successful);

  // `webhook_credentials{file}`: how many of the file are in use, so that who rotates them sees when a new one counts.
  void WebhookCredentials(const std::string& file, size_t count);

  // `ready{check}`: what /readyz says of each of its checks. Call it before each scrape.
  void Ready(const std::string& check, bool ready);

  // `certificate_expiry_timestamp_seconds{cert}`: when the certificate in use expires. `cert` names the door.
  void CertificateExpiry(const std::string& cert, absl::Time expiry);

 private:
  prometheus::Family<prometheus::Gauge>& last_reload_successful_;
  prometheus::Family<prometheus::Gauge>& webhook_credentials_;
  prometheus::Family<prometheus::Gauge>& certificate_expiry_;
  prometheus::Family<prometheus::Gauge>& ready_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_OPS_METRICS_H_
