#include "server/ops/process_limits.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <string_view>
#include <system_error>

#include "absl/strings/str_cat.h"

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
  // The limit alone does not hold where the kernel pipes core dumps into a program.
  if (!kLeakCheckAttaches && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return LimitError("make the process undumpable");
  return absl::OkStatus();
}

}  // namespace refund_relay
