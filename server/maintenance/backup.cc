#include "server/maintenance/backup.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/log/data_dir.h"
#include "server/log/sqlite_database.h"
#include "server/log/sqlite_schema.h"

namespace refund_relay {
namespace {

constexpr absl::Duration kLockWait = absl::Seconds(10);
constexpr int kInstructionsBetweenLooks = 100'000;
constexpr mode_t kFileMode = 0600;  // personal data

absl::Status SystemError(std::string_view what, const std::string& path, int error) {
  const std::string message =
      absl::StrCat(absl::string_view(what.data(), what.size()), " ", path, ": ", std::strerror(error));
  if (error == EEXIST) return absl::AlreadyExistsError(message);
  if (error == ENOENT) return absl::NotFoundError(message);
  return absl::UnavailableError(message);
}

std::string FolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

// A file that goes away with this unless it was put in place.
class PartialFile {
 public:
  static absl::StatusOr<PartialFile> Create(const std::string& to) {
    std::string path = to + kPartialSuffix;
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, kFileMode);
    if (fd >= 0) return PartialFile(std::move(path), fd);
    const absl::Status error = SystemError("creating", path, errno);
    if (!absl::IsAlreadyExists(error)) return error;
    return absl::AlreadyExistsError(
        absl::StrCat(path, " exists: another backup is writing it, or one was killed while it did; then delete it"));
  }

  PartialFile(PartialFile&& other) noexcept
      : path_(std::exchange(other.path_, "")), fd_(std::exchange(other.fd_, -1)) {}
  PartialFile& operator=(PartialFile&&) = delete;
  ~PartialFile() {
    if (fd_ >= 0) close(fd_);
    if (!path_.empty()) unlink(path_.c_str());
  }

  const std::string& path() const { return path_; }

  // Syncs it and gives it its name, which must be free.
  absl::Status PutInPlace(const std::string& to) {
    if (fsync(fd_) != 0) return absl::AbortedError(absl::StrCat("syncing ", path_, ": ", std::strerror(errno)));
    if (renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0) {
      // Where the file system cannot do that, a hard link refuses to replace as well.
      if ((errno != EINVAL && errno != ENOSYS) || link(path_.c_str(), to.c_str()) != 0) {
        return SystemError("putting in place", to, errno);
      }
      unlink(path_.c_str());
    }
    path_.clear();
    return SyncDirectory(FolderOf(to));
  }

 private:
  PartialFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  std::string path_;
  int fd_;
};

absl::Status CheckRoom(SqliteConnection& db, const std::string& to) {
  auto select = db.Prepare("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");
  if (!select.ok()) return select.status();
  if (const absl::StatusOr<bool> row = select->Step(); !row.ok()) return row.status();
  const uint64_t needed = static_cast<uint64_t>(select->Int(0)) + kBackupFreeBytes;
  const absl::StatusOr<DiskSpace> space = DiskSpaceAt(FolderOf(to));
  if (!space.ok()) return space.status();
  if (space->free_bytes >= needed) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("a backup needs up to ", needed, " bytes where ", to,
                                                   " would be, and ", space->free_bytes,
                                                   " are free; make room or choose another disk"));
}

absl::Status CopyLog(const std::string& database, const std::string& partial, const Cancelled& cancelled) {
  absl::StatusOr<SqliteConnection> db = SqliteConnection::Open(database, /*vfs=*/"");
  if (!db.ok()) return db.status();
  db->SetBusyTimeout(kLockWait);
  const auto look = [](void* asked) { return (*static_cast<const Cancelled*>(asked))() ? 1 : 0; };
  sqlite3_progress_handler(db->handle(), kInstructionsBetweenLooks, look, const_cast<Cancelled*>(&cancelled));
  if (absl::Status room = CheckRoom(*db, partial); !room.ok()) return room;
  absl::StatusOr<SqliteStatement> copy = db->Prepare("VACUUM INTO ?1");
  if (!copy.ok()) return copy.status();
  copy->BindText(1, partial);
  return copy->Run();
}

absl::StatusOr<RestoredFrom> Rename(const std::string& partial) {
  absl::StatusOr<SqliteConnection> copy = SqliteConnection::Open(partial, /*vfs=*/"");
  if (!copy.ok()) return copy.status();
  // A copy that fails is thrown away: no journal beside it, and one sync of ours at the end.
  for (const char* pragma : {"PRAGMA journal_mode = MEMORY", "PRAGMA synchronous = OFF"}) {
    if (absl::Status set = copy->Execute(pragma); !set.ok()) return set;
  }
  return TurnIntoBackup(*copy);
}

}  // namespace

absl::StatusOr<BackupReport> MakeBackup(const std::string& database, const std::string& to,
                                        const Cancelled& cancelled) {
  struct stat info{};
  if (stat(database.c_str(), &info) != 0) return SystemError("looking for the log", database, errno);
  if (lstat(to.c_str(), &info) == 0) {
    return absl::AlreadyExistsError(absl::StrCat(to, " exists; a backup replaces nothing, choose another name"));
  }
  absl::StatusOr<PartialFile> partial = PartialFile::Create(to);
  if (!partial.ok()) return partial.status();
  const auto finish = [&]() -> absl::StatusOr<BackupReport> {
    if (absl::Status copied = CopyLog(database, partial->path(), cancelled); !copied.ok()) return copied;
    absl::StatusOr<RestoredFrom> taken_of = Rename(partial->path());
    if (!taken_of.ok()) return taken_of.status();
    absl::StatusOr<LogReport> check = CheckLog(partial->path(), cancelled);
    if (!check.ok()) return check.status();
    if (!check->sound()) {
      return absl::DataLossError(
          absl::StrCat("the copy is not sound, so it was thrown away; `refund-relay verify` tells "
                       "whether the log is: ",
                       check->listed_problems.front()));
    }
    if (cancelled()) return absl::CancelledError("cancelled");
    if (absl::Status placed = partial->PutInPlace(to); !placed.ok()) return placed;
    if (stat(to.c_str(), &info) != 0) return SystemError("looking at", to, errno);
    return BackupReport{*std::move(taken_of), static_cast<uint64_t>(info.st_size), *std::move(check)};
  };
  absl::StatusOr<BackupReport> report = finish();
  if (!report.ok() && cancelled()) return absl::CancelledError("the backup was cancelled");
  return report;
}

}  // namespace refund_relay
