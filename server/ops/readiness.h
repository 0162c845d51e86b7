// Readiness: named checks and the report that /readyz answers with.
#ifndef REFUND_RELAY_SERVER_OPS_READINESS_H_
#define REFUND_RELAY_SERVER_OPS_READINESS_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace refund_relay {

// Something that must hold before traffic should come. `check` must not block; its error text is shown to whoever asks.
struct ReadinessCheck {
  std::string name;
  std::function<absl::Status()> check;
};

struct ReadinessReport {
  bool ready = true;
  // `{"ready":false,"checks":[{"name":"storage","ready":false,"reason":"..."}, {"name":"ingress","ready":true}]}`.
  // Checks that were left out say `"excluded":true` and have still been run; names asked for that are none stand under
  // `unknown_excluded`.
  std::string json;
};

// Runs every check. `query` is that of the request: `exclude=storage` (also several times, or comma-separated) takes
// checks out of the verdict.
ReadinessReport CheckReadiness(const std::vector<ReadinessCheck>& checks, std::string_view query);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_READINESS_H_
