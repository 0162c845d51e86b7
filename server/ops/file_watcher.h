// FileWatcher: tells when the content of a file changed. One watcher serves secrets, certificates and policy.
#ifndef REFUND_RELAY_SERVER_OPS_FILE_WATCHER_H_
#define REFUND_RELAY_SERVER_OPS_FILE_WATCHER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/ops/rest.h"

namespace refund_relay {

// A larger file is refused: nothing that we watch comes near it, and someone may point us at the wrong one.
inline constexpr size_t kMaxWatchedFileBytes = 1 << 20;

// Reads a regular file, following symbolic links. Blocks on storage. Errors name the path:
// - NOT_FOUND, PERMISSION_DENIED, or UNAVAILABLE for any other failure to read;
// - INVALID_ARGUMENT: a folder, device or pipe; RESOURCE_EXHAUSTED: larger than `max_bytes`.
//
// Leaves no copy of what it read but the one that it returns, which lies on the heap: the caller can `Wipe` it.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes = kMaxWatchedFileBytes);

// What is remembered of a file's content: its SHA-256, because files hold secrets; or why it cannot be read.
using FileState = absl::StatusOr<std::array<unsigned char, 32>>;
FileState StateOf(const absl::StatusOr<std::string>& content);

// Decides which reads of one file are a change worth telling. Not thread-safe.
class FileChangeDetector {
 public:
  explicit FileChangeDetector(FileState known) : known_(std::move(known)) {}

  // Whether what a regular check read is a change to tell. It is once it was read twice in a row: the first read may
  // have met a writer at half its work.
  bool Check(const FileState& read);

  // The same of what was read on demand: the caller says that the file is ready, so a change is told at once.
  bool CheckOnDemand(const FileState& read);

 private:
  FileState known_;
  std::optional<FileState> unsettled_;  // differs from `known_`, seen once
};

// Reads each watched file every `interval` on a thread of its own and compares contents. It polls, because events of
// the file system do not tell of every way that files change: symbolic links swapped somewhere on the path
// (Kubernetes), bind mounts, network file systems; and contents, because time stamps miss a second write within one
// tick.
//
// Thread-safe, but for the destructor, which joins the thread; no callback is under way after it.
class FileWatcher {
 public:
  // The file's new content, or why it can no longer be read (told once per reason). Called on the watcher's thread, one
  // at a time; may block, must not call `CheckNow`. The content is wiped after the call.
  using Changed = std::function<void(const absl::StatusOr<std::string>&)>;

  explicit FileWatcher(absl::Duration interval = absl::Seconds(1));
  ~FileWatcher();
  FileWatcher(const FileWatcher&) = delete;
  FileWatcher& operator=(const FileWatcher&) = delete;

  // Watches `path` for as long as the watcher lives. `known` is what the caller read there and uses: whatever differs
  // from it, also if it changed before this call, is told.
  void Watch(std::string path, FileState known, Changed changed);
  void Watch(std::string path, const absl::StatusOr<std::string>& known, Changed changed) {
    Watch(std::move(path), StateOf(known), std::move(changed));
  }

  // Checks every file soon and tells changes at once, settled or not. Does not wait: fit for a signal thread.
  void RequestCheck();

  // As `RequestCheck`, and returns after the callbacks did.
  void CheckNow();

 private:
  struct Watched {
    std::string path;
    Changed changed;
    FileChangeDetector detector;  // only the watcher's thread touches it
  };

  void Run();

  // Constant after construction.
  const absl::Duration interval_;

  absl::Mutex mutex_;
  std::vector<std::shared_ptr<Watched>> watched_ ABSL_GUARDED_BY(mutex_);
  uint64_t requested_ ABSL_GUARDED_BY(mutex_) = 0;  // checks on demand, asked for and done so far
  uint64_t done_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  Rest rest_;  // between two checks; cut for one on demand

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_FILE_WATCHER_H_
