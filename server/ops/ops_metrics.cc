#include "server/ops/ops_metrics.h"

#include "server/ops/metrics.h"
#include "server/ops/version.h"

namespace refund_relay {

OpsMetrics::OpsMetrics(prometheus::Registry& registry)
    : last_reload_successful_(GaugeFamily(registry, "config_last_reload_successful",
                                          "1 while the newest content of a watched file is the one in use, else 0.")) {
  GaugeFamily(registry, "build_info", "Always 1; its labels tell what runs.")
      .Add({{"version", std::string(Version())}, {"compiler", __VERSION__}})
      .Set(1);
}

void OpsMetrics::FileLoaded(const std::string& file, bool successful) {
  last_reload_successful_.Add({{"file", file}}).Set(successful ? 1 : 0);
}

}  // namespace refund_relay
