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

// Whether this was built with AddressSanitizer, whose leak check attaches to the process when it ends.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kLeakCheckAttaches = true;
#elif defined(__has_feature)
inline constexpr bool kLeakCheckAttaches = __has_feature(address_sanitizer);
#else
inline constexpr bool kLeakCheckAttaches = false;
#endif

// No core dumps, and no other process of the same user may attach: memory holds secrets and personal data. UNAVAILABLE
// if the kernel refuses. Attaching is left alone with `kLeakCheckAttaches`.
absl::Status DisableCoreDumps();

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_PROCESS_LIMITS_H_
