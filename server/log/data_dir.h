// The data directory: created private, locked against a second server, refused on network file systems.
#ifndef REFUND_RELAY_SERVER_LOG_DATA_DIR_H_
#define REFUND_RELAY_SERVER_LOG_DATA_DIR_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/ops/file_descriptor.h"

namespace refund_relay {

// The name of the network or user-space file system with this statfs(2) magic, nothing for a local one. On these, locks
// and syncs do not hold what SQLite needs of them.
std::optional<std::string_view> NetworkFilesystem(int64_t magic);

// The statfs(2) magic of the file system that holds `path`.
absl::StatusOr<int64_t> FilesystemMagic(const std::string& path);

// Of a file system: what refund-relay may still write to it, and all that there is.
struct DiskSpace {
  uint64_t free_bytes = 0;
  uint64_t size_bytes = 0;
};

// The space of the file system that holds `path`.
absl::StatusOr<DiskSpace> DiskSpaceAt(const std::string& path);

// Makes the entries of the directory `path` durable. ABORTED when the sync fails.
absl::Status SyncDirectory(const std::string& path);

// A locked data directory; the lock lasts as long as the object, and a killed process leaves none behind. Movable.
class DataDir {
 public:
  struct Options {
    std::string path;
    bool allow_network_filesystem = false;
    // Tells the file system's magic; tests replace it.
    std::function<absl::StatusOr<int64_t>(const std::string&)> filesystem_magic = FilesystemMagic;
  };

  // Creates the directory (mode 0700, with its parents) if it is missing, and locks it.
  // Errors: FAILED_PRECONDITION when another server holds it or it is on a network file system; UNAVAILABLE when it
  // cannot be created or opened. The message names the flag and the way out.
  static absl::StatusOr<DataDir> Open(const Options& options);

  const std::string& path() const { return path_; }
  // The path of the file `name`, which is created empty (mode 0600) if it is missing.
  absl::StatusOr<std::string> CreateFile(std::string_view name) const;

 private:
  static absl::StatusOr<DataDir> TryOpen(const Options& options);

  DataDir(std::string path, FileDescriptor lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  FileDescriptor lock_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_DATA_DIR_H_
