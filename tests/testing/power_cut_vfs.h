// PowerCutVfs: a disk under SQLite that can be full, fail to sync, and lose what was not synced.
#ifndef REFUND_RELAY_TESTS_TESTING_POWER_CUT_VFS_H_
#define REFUND_RELAY_TESTS_TESTING_POWER_CUT_VFS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace refund_relay {

// A SQLite VFS over the system's own. Files are real; beside each one it keeps what a power cut would leave of it: the
// bytes that were synced, and the entry in its folder once the folder was synced (seen through fsync and fdatasync,
// which the test binary replaces). Thread-safe. One at a time; all logs over it must be closed before it goes.
class PowerCutVfs {
 public:
  // Registers the VFS under `name()`.
  PowerCutVfs();
  ~PowerCutVfs();
  PowerCutVfs(const PowerCutVfs&) = delete;
  PowerCutVfs& operator=(const PowerCutVfs&) = delete;

  static const char* name() { return "refund-relay-power-cut"; }

  // From now on each sync of a file whose path ends in `suffix` fails, and syncs nothing.
  void FailSyncs(const std::string& suffix);
  // From now on each write fails as on a full disk.
  void FillDisk(bool full);
  // The process dies: from now on no write, truncation or sync has any effect, and each fails. `when_syncs_remain` more
  // syncs of the write-ahead log go through before that; 0: the next one is where it dies, after the write.
  void KillAtWalSync(int when_syncs_remain);
  // The process dies now.
  void Kill();
  // The next process starts: faults are over, what was written (synced or not) is there.
  void Revive();
  // The power goes: each byte that was not synced is lost, or (with `keep` returning true for its write) happens to
  // have reached the disk all the same. No file may be open.
  void CutPower(const std::function<bool()>& keep);

  // Successful writes and syncs of files so far.
  int writes();
  int syncs();
  bool killed();

  // For the VFS and the replaced system calls only.
  struct File;
  enum class Verdict { kGo, kFail, kFull };
  std::shared_ptr<File> Opened(const std::string& path);
  Verdict BeforeWrite();
  Verdict BeforeSync(const std::string& path);
  void Written(File& file, int64_t offset, const void* data, size_t size);
  void Truncated(File& file, int64_t size);
  void Synced(File& file);
  void Deleted(const std::string& path);
  void DirectorySynced(const std::string& path);
  static PowerCutVfs* current();

 private:
  absl::Mutex mu_;
  std::map<std::string, std::shared_ptr<File>> files_ ABSL_GUARDED_BY(mu_);
  std::string failing_suffix_ ABSL_GUARDED_BY(mu_);
  bool syncs_fail_ ABSL_GUARDED_BY(mu_) = false;
  bool full_ ABSL_GUARDED_BY(mu_) = false;
  bool killed_ ABSL_GUARDED_BY(mu_) = false;
  int wal_syncs_left_ ABSL_GUARDED_BY(mu_) = -1;  // -1: not to be killed
  int writes_ ABSL_GUARDED_BY(mu_) = 0;
  int syncs_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_TESTS_TESTING_POWER_CUT_VFS_H_
