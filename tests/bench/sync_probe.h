// SyncProbe: what one synced write costs on a file system, with nothing around it.
#ifndef REFUND_RELAY_TESTS_BENCH_SYNC_PROBE_H_
#define REFUND_RELAY_TESTS_BENCH_SYNC_PROBE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace refund_relay::bench {

// A file of its own, which grows by a block a time and is removed at the end. Not thread-safe.
class SyncProbe {
 public:
  // One page, which is what a commit of one event adds to SQLite's WAL at least.
  static constexpr int kBlockBytes = 4096;

  static absl::StatusOr<std::unique_ptr<SyncProbe>> Open(const std::string& path);
  ~SyncProbe();
  SyncProbe(const SyncProbe&) = delete;
  SyncProbe& operator=(const SyncProbe&) = delete;

  // Appends a block and syncs it; how long both took, in nanoseconds.
  absl::StatusOr<int64_t> AppendAndSync();

 private:
  SyncProbe(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  const int fd_;
  const std::string path_;
  const std::string block_ = std::string(kBlockBytes, 'x');
};

}  // namespace refund_relay::bench

#endif  // REFUND_RELAY_TESTS_BENCH_SYNC_PROBE_H_
