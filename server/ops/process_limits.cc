#include "server/ops/process_limits.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <string_view>
#include <system_error>

#include "absl/strings/str_cat.h"

#if defined(__SANITIZE_ADDRESS__)
#define REFUND_RELAY_LEAK_CHECK 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define REFUND_RELAY_LEAK_CHECK 1
#endif
#endif

namespace refund_relay {
namespace {

absl::Status LimitError(const char* what) {
  return absl::UnavailableError(absl::StrCat("cannot ", what, ": ", std::generic_category().message(errno)));
}

}  // namespace

absl::StatusOr<uint64_t> RaiseOpenFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return LimitError("read the limit of open files");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return LimitError("raise the limit of open files");
  return limit.rlim_cur;
}

absl::Status DisableCoreDumps() {
  const rlimit none{0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0) return LimitError("switch core dumps off");
#ifndef REFUND_RELAY_LEAK_CHECK
  // The limit alone does not hold where the kernel pipes core dumps into a program.
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return LimitError("make the process undumpable");
#endif
  return absl::OkStatus();
}

}  // namespace refund_relay
