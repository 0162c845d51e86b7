// Limits of the process, set once at start.
#ifndef REFUND_RELAY_SERVER_OPS_PROCESS_LIMITS_H_
#define REFUND_RELAY_SERVER_OPS_PROCESS_LIMITS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace refund_relay {

// Raises the soft limit of open files to the hard one and returns it. gRPC's accept loop ends for good when descriptors
// run out (CVE-2023-4785), so connections must be capped below it. UNAVAILABLE if the kernel refuses.
absl::StatusOr<uint64_t> RaiseOpenFileLimit();

// No core dumps, and no other process of the same user may attach: memory holds secrets and personal data. UNAVAILABLE
// if the kernel refuses. Built with AddressSanitizer it leaves attaching alone, because the leak check attaches.
absl::Status DisableCoreDumps();

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_PROCESS_LIMITS_H_
