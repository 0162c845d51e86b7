#include "server/ops/ops_metrics.h"

#include "server/ops/version.h"

namespace refund_relay {

OpsMetrics::OpsMetrics(prometheus::Registry& registry)
    : last_reload_successful_(prometheus::BuildGauge()
                                  .Name("refund_relay_config_last_reload_successful")
                                  .Help("1 while the newest content of a watched file is the one in use, else 0.")
                                  .Register(registry)),
      webhook_credentials_(prometheus::BuildGauge()
                               .Name("refund_relay_webhook_credentials")
                               .Help("Webhook secrets, or pairs of user and password, of a file that are in use.")
                               .Register(registry)),
      certificate_expiry_(prometheus::BuildGauge()
                              .Name("refund_relay_certificate_expiry_timestamp_seconds")
                              .Help("When the first certificate of a file in use expires.")
                              .Register(registry)),
      ready_(prometheus::BuildGauge()
                 .Name("refund_relay_ready")
                 .Help("1 while /readyz says of the check that it is fine, else 0.")
                 .Register(registry)) {
  prometheus::BuildGauge()
      .Name("refund_relay_build_info")
      .Help("Always 1; its labels tell what runs.")
      .Register(registry)
      .Add({{"version", std::string(Version())}, {"compiler", __VERSION__}})
      .Set(1);
}

void OpsMetrics::FileLoaded(const std::string& file, bool successful) {
  last_reload_successful_.Add({{"file", file}}).Set(successful ? 1 : 0);
}

void OpsMetrics::WebhookCredentials(const std::string& file, size_t count) {
  webhook_credentials_.Add({{"file", file}}).Set(static_cast<double>(count));
}

void OpsMetrics::Ready(const std::string& check, bool ready) { ready_.Add({{"check", check}}).Set(ready ? 1 : 0); }

void OpsMetrics::CertificateExpiry(const std::string& cert, absl::Time expiry) {
  certificate_expiry_.Add({{"cert", cert}}).Set(absl::ToDoubleSeconds(expiry - absl::UnixEpoch()));
}

}  // namespace refund_relay
