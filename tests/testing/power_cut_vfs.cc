#include "tests/testing/power_cut_vfs.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>
#include <string_view>
#include <utility>

namespace refund_relay {

// What a power cut would leave of a file: `durable`, plus whichever of the pending changes reached the disk.
struct PowerCutVfs::File {
  struct Change {
    int64_t offset;    // of a write; the size of a truncation
    std::string data;  // of a write
    bool truncation;
  };
  std::string path;
  std::string durable;
  std::vector<Change> pending;
  bool entry_durable = false;

  static void Apply(const Change& change, std::string& content) {
    if (change.truncation) {
      content.resize(static_cast<size_t>(change.offset));
      return;
    }
    const size_t end = static_cast<size_t>(change.offset) + change.data.size();
    if (content.size() < end) content.resize(end);
    content.replace(static_cast<size_t>(change.offset), change.data.size(), change.data);
  }
};

namespace {

std::atomic<PowerCutVfs*> g_current{nullptr};

bool EndsWith(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

sqlite3_vfs* Base() { return sqlite3_vfs_find("unix"); }

// SQLite's file object; the system's own follows it in the same allocation.
struct ShimFile {
  sqlite3_file base;
  std::shared_ptr<PowerCutVfs::File>* tracked;
};

sqlite3_file* Real(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<ShimFile*>(file) + 1);
}
PowerCutVfs::File& Tracked(sqlite3_file* file) { return **reinterpret_cast<ShimFile*>(file)->tracked; }

int Close(sqlite3_file* file) {
  delete reinterpret_cast<ShimFile*>(file)->tracked;
  return Real(file)->pMethods->xClose(Real(file));
}
int Read(sqlite3_file* file, void* data, int size, sqlite3_int64 offset) {
  return Real(file)->pMethods->xRead(Real(file), data, size, offset);
}
int Write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  PowerCutVfs& vfs = *PowerCutVfs::current();
  switch (vfs.BeforeWrite()) {
    case PowerCutVfs::Verdict::kFull:
      return SQLITE_FULL;
    case PowerCutVfs::Verdict::kFail:
      return SQLITE_IOERR_WRITE;
    case PowerCutVfs::Verdict::kGo:
      break;
  }
  const int code = Real(file)->pMethods->xWrite(Real(file), data, size, offset);
  if (code == SQLITE_OK) vfs.Written(Tracked(file), offset, data, static_cast<size_t>(size));
  return code;
}
int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  PowerCutVfs& vfs = *PowerCutVfs::current();
  if (vfs.killed()) return SQLITE_IOERR_TRUNCATE;
  const int code = Real(file)->pMethods->xTruncate(Real(file), size);
  if (code == SQLITE_OK) vfs.Truncated(Tracked(file), size);
  return code;
}
int Sync(sqlite3_file* file, int flags) {
  PowerCutVfs& vfs = *PowerCutVfs::current();
  if (vfs.BeforeSync(Tracked(file).path) != PowerCutVfs::Verdict::kGo) return SQLITE_IOERR_FSYNC;
  const int code = Real(file)->pMethods->xSync(Real(file), flags);
  if (code == SQLITE_OK) vfs.Synced(Tracked(file));
  return code;
}
int FileSize(sqlite3_file* file, sqlite3_int64* size) { return Real(file)->pMethods->xFileSize(Real(file), size); }
int Lock(sqlite3_file* file, int level) { return Real(file)->pMethods->xLock(Real(file), level); }
int Unlock(sqlite3_file* file, int level) { return Real(file)->pMethods->xUnlock(Real(file), level); }
int CheckReserved(sqlite3_file* file, int* out) { return Real(file)->pMethods->xCheckReservedLock(Real(file), out); }
int Control(sqlite3_file* file, int op, void* arg) {
  if (op == SQLITE_FCNTL_SIZE_HINT) return SQLITE_OK;  // would grow the file behind our back
  return Real(file)->pMethods->xFileControl(Real(file), op, arg);
}
int SectorSize(sqlite3_file* file) { return Real(file)->pMethods->xSectorSize(Real(file)); }
int Characteristics(sqlite3_file* file) { return Real(file)->pMethods->xDeviceCharacteristics(Real(file)); }
int ShmMap(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
  return Real(file)->pMethods->xShmMap(Real(file), page, size, extend, out);
}
int ShmLock(sqlite3_file* file, int offset, int n, int flags) {
  return Real(file)->pMethods->xShmLock(Real(file), offset, n, flags);
}
void ShmBarrier(sqlite3_file* file) { Real(file)->pMethods->xShmBarrier(Real(file)); }
int ShmUnmap(sqlite3_file* file, int remove) { return Real(file)->pMethods->xShmUnmap(Real(file), remove); }

const sqlite3_io_methods kMethods = {
    2,        Close,         Read,    Write,      Truncate,        Sync,   FileSize, Lock,
    Unlock,   CheckReserved, Control, SectorSize, Characteristics, ShmMap, ShmLock,  ShmBarrier,
    ShmUnmap, nullptr,       nullptr};

int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* shim = reinterpret_cast<ShimFile*>(file);
  shim->base.pMethods = nullptr;
  const int code = Base()->xOpen(Base(), name, Real(file), flags, out_flags);
  if (code != SQLITE_OK) return code;
  shim->tracked = new std::shared_ptr<PowerCutVfs::File>(PowerCutVfs::current()->Opened(name == nullptr ? "" : name));
  shim->base.pMethods = &kMethods;
  return SQLITE_OK;
}
int Delete(sqlite3_vfs*, const char* name, int sync_dir) {
  if (PowerCutVfs::current()->killed()) return SQLITE_IOERR_DELETE;
  const int code = Base()->xDelete(Base(), name, sync_dir);
  if (code == SQLITE_OK) PowerCutVfs::current()->Deleted(name);
  return code;
}

sqlite3_vfs* Registered() {
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs made = *Base();
    made.szOsFile += static_cast<int>(sizeof(ShimFile));
    made.zName = PowerCutVfs::name();
    made.pNext = nullptr;
    made.xOpen = Open;
    made.xDelete = Delete;
    return made;
  }();
  return &vfs;
}

}  // namespace

PowerCutVfs::PowerCutVfs() {
  sqlite3_initialize();
  g_current = this;
  sqlite3_vfs_register(Registered(), 0);
}

PowerCutVfs::~PowerCutVfs() {
  sqlite3_vfs_unregister(Registered());
  g_current = nullptr;
}

PowerCutVfs* PowerCutVfs::current() { return g_current; }

void PowerCutVfs::FailSyncs(const std::string& suffix) {
  absl::MutexLock lock(&mu_);
  syncs_fail_ = true;
  failing_suffix_ = suffix;
}

void PowerCutVfs::FillDisk(bool full) {
  absl::MutexLock lock(&mu_);
  full_ = full;
}

void PowerCutVfs::KillAtWalSync(int when_syncs_remain) {
  absl::MutexLock lock(&mu_);
  wal_syncs_left_ = when_syncs_remain;
}

void PowerCutVfs::Kill() {
  absl::MutexLock lock(&mu_);
  killed_ = true;
}

void PowerCutVfs::Revive() {
  absl::MutexLock lock(&mu_);
  syncs_fail_ = full_ = killed_ = false;
  wal_syncs_left_ = -1;
}

void PowerCutVfs::CutPower(const std::function<bool()>& keep) {
  absl::MutexLock lock(&mu_);
  for (const auto& [path, file] : files_) {
    for (const File::Change& change : file->pending) {
      if (keep()) File::Apply(change, file->durable);
    }
    file->pending.clear();
    if (!file->entry_durable) {
      std::filesystem::remove(path);
    } else {
      std::ofstream(path, std::ios::binary | std::ios::trunc) << file->durable;
    }
    std::filesystem::remove(path + "-shm");
  }
  files_.clear();
}

int PowerCutVfs::writes() {
  absl::MutexLock lock(&mu_);
  return writes_;
}

int PowerCutVfs::syncs() {
  absl::MutexLock lock(&mu_);
  return syncs_;
}

bool PowerCutVfs::killed() {
  absl::MutexLock lock(&mu_);
  return killed_;
}

std::shared_ptr<PowerCutVfs::File> PowerCutVfs::Opened(const std::string& path) {
  absl::MutexLock lock(&mu_);
  std::shared_ptr<File>& file = files_[path];
  if (file == nullptr) {
    file = std::make_shared<File>();
    file->path = path;
    // Bytes found in a file that was not watched yet are what an earlier power cut left.
    std::ifstream in(path, std::ios::binary);
    file->durable.assign(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    file->entry_durable = !file->durable.empty();
  }
  return file;
}

PowerCutVfs::Verdict PowerCutVfs::BeforeWrite() {
  absl::MutexLock lock(&mu_);
  if (killed_) return Verdict::kFail;
  return full_ ? Verdict::kFull : Verdict::kGo;
}

PowerCutVfs::Verdict PowerCutVfs::BeforeSync(const std::string& path) {
  absl::MutexLock lock(&mu_);
  if (wal_syncs_left_ >= 0 && EndsWith(path, "-wal") && wal_syncs_left_-- == 0) killed_ = true;
  if (killed_ || (syncs_fail_ && EndsWith(path, failing_suffix_))) return Verdict::kFail;
  return Verdict::kGo;
}

void PowerCutVfs::Written(File& file, int64_t offset, const void* data, size_t size) {
  absl::MutexLock lock(&mu_);
  ++writes_;
  file.pending.push_back({offset, std::string(static_cast<const char*>(data), size), false});
}

void PowerCutVfs::Truncated(File& file, int64_t size) {
  absl::MutexLock lock(&mu_);
  file.pending.push_back({size, "", true});
}

void PowerCutVfs::Synced(File& file) {
  absl::MutexLock lock(&mu_);
  ++syncs_;
  for (const File::Change& change : file.pending) File::Apply(change, file.durable);
  file.pending.clear();
}

void PowerCutVfs::Deleted(const std::string& path) {
  absl::MutexLock lock(&mu_);
  files_.erase(path);
}

void PowerCutVfs::DirectorySynced(const std::string& path) {
  absl::MutexLock lock(&mu_);
  if (killed_) return;
  for (const auto& [file_path, file] : files_) {
    if (std::filesystem::path(file_path).parent_path() == path) file->entry_durable = true;
  }
}

}  // namespace refund_relay

namespace {

// How a sync of a folder is seen, SQLite's own and ours.
void NoticeDirectorySync(int fd) {
  refund_relay::PowerCutVfs* const vfs = refund_relay::PowerCutVfs::current();
  if (vfs == nullptr) return;
  struct stat info{};
  if (fstat(fd, &info) != 0 || !S_ISDIR(info.st_mode)) return;
  vfs->DirectorySynced(std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd)).string());
}

}  // namespace

extern "C" int fsync(int fd) {
  NoticeDirectorySync(fd);
  return static_cast<int>(syscall(SYS_fsync, fd));
}

extern "C" int fdatasync(int fd) {
  NoticeDirectorySync(fd);
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}
