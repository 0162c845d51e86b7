// SyncProbe: appends and syncs, timed.
#include "tests/bench/sync_probe.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace refund_relay::bench {

absl::StatusOr<std::unique_ptr<SyncProbe>> SyncProbe::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("open ", path));
  return absl::WrapUnique(new SyncProbe(fd, path));
}

SyncProbe::~SyncProbe() {
  close(fd_);
  unlink(path_.c_str());
}

absl::StatusOr<int64_t> SyncProbe::AppendAndSync() {
  const int64_t start = absl::GetCurrentTimeNanos();
  if (write(fd_, block_.data(), block_.size()) != kBlockBytes || fdatasync(fd_) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("write and fdatasync ", path_));
  }
  return absl::GetCurrentTimeNanos() - start;
}

}  // namespace refund_relay::bench
