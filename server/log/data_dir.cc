#include "server/log/data_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"

namespace refund_relay {
namespace {

constexpr char kLockFile[] = "lock";
constexpr mode_t kDirectoryMode = 0700;
constexpr mode_t kFileMode = 0600;

absl::Status SystemError(std::string_view what, const std::string& path, int error) {
  return absl::UnavailableError(
      absl::StrCat(absl::string_view(what.data(), what.size()), " ", path, ": ", std::strerror(error)));
}

// Creates `path` and its missing parents, each one's entry synced into its parent.
absl::Status CreateDirectories(const std::filesystem::path& path) {
  struct stat info{};
  if (stat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return absl::OkStatus();
    return absl::UnavailableError(absl::StrCat("the data directory ", path.string(), " is not a directory"));
  }
  if (path.has_parent_path()) {
    if (absl::Status parent = CreateDirectories(path.parent_path()); !parent.ok()) return parent;
  }
  if (mkdir(path.c_str(), kDirectoryMode) != 0 && errno != EEXIST) {
    return SystemError("creating the data directory", path.string(), errno);
  }
  return SyncDirectory(path.has_parent_path() ? path.parent_path().string() : ".");
}

}  // namespace

std::optional<std::string_view> NetworkFilesystem(int64_t magic) {
  switch (static_cast<uint32_t>(magic)) {
    case 0x6969:
      return "NFS";
    case 0x517B:
    case 0xFF534D42:
    case 0xFE534D42:
      return "SMB/CIFS";
    case 0x65735546:
      return "FUSE";
    case 0x01021997:
      return "9P";
    case 0x5346414F:
    case 0x6B414653:
      return "AFS";
    case 0x00C36400:
      return "CephFS";
    case 0x0BD00BD0:
      return "Lustre";
    case 0x47504653:
      return "GPFS";
    case 0x01161970:
      return "GFS2";
    case 0x7461636F:
      return "OCFS2";
    case 0x19830326:
      return "BeeGFS";
    case 0x73757245:
      return "Coda";
    case 0x786F4256:
      return "VirtualBox shared folder";
    default:
      return std::nullopt;
  }
}

absl::StatusOr<int64_t> FilesystemMagic(const std::string& path) {
  struct statfs info{};
  if (statfs(path.c_str(), &info) != 0) return SystemError("asking for the file system of", path, errno);
  return static_cast<int64_t>(info.f_type);
}

absl::StatusOr<DiskSpace> DiskSpaceAt(const std::string& path) {
  struct statvfs info{};
  if (statvfs(path.c_str(), &info) != 0) return SystemError("asking for the free space of", path, errno);
  return DiskSpace{static_cast<uint64_t>(info.f_bavail) * info.f_frsize,
                   static_cast<uint64_t>(info.f_blocks) * info.f_frsize};
}

absl::Status SyncDirectory(const std::string& path) {
  const FileDescriptor directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return SystemError("opening the directory", path, errno);
  if (fsync(directory.number()) != 0) {
    return absl::AbortedError(absl::StrCat("syncing the directory ", path, ": ", std::strerror(errno)));
  }
  return absl::OkStatus();
}

absl::StatusOr<DataDir> DataDir::Open(const Options& options) {
  auto opened = TryOpen(options);
  // What the system refuses, it refuses to this user in this place: say which setting chose the place.
  if (!absl::IsUnavailable(opened.status())) return opened;
  return absl::UnavailableError(absl::StrCat("--data_dir: ", opened.status().message(),
                                             "; name a folder on a local disk that the server's user may write to"));
}

absl::StatusOr<DataDir> DataDir::TryOpen(const Options& options) {
  if (options.path.empty()) return absl::InvalidArgumentError("no data directory was given; set --data_dir");
  const std::filesystem::path path = std::filesystem::path(options.path).lexically_normal();
  const std::string text = path.string();
  if (absl::Status created = CreateDirectories(path); !created.ok()) return created;
  // A killed process may have created it and not synced that. Where the parent cannot be synced (unreadable,
  // read-only), it was not created by us either.
  if (path.has_parent_path()) SyncDirectory(path.parent_path().string()).IgnoreError();

  const absl::StatusOr<int64_t> magic = options.filesystem_magic(text);
  if (!magic.ok()) return magic.status();
  if (const auto name = NetworkFilesystem(*magic); name.has_value() && !options.allow_network_filesystem) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the data directory ", text, " is on ", absl::string_view(name->data(), name->size()),
        ", where locks and syncs may not hold and acknowledged events could be lost; use a local disk or a "
        "block volume, or set --allow_network_filesystem knowingly"));
  }

  const std::string lock_path = (path / kLockFile).string();
  FileDescriptor lock(open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode));
  if (!lock.valid()) return SystemError("opening the lock file", lock_path, errno);
  if (flock(lock.number(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return SystemError("locking", lock_path, errno);
    return absl::FailedPreconditionError(absl::StrCat("another refund-relay holds the data directory ", text,
                                                      "; stop it, or give this one its own --data_dir"));
  }
  return DataDir(text, std::move(lock));
}

absl::StatusOr<std::string> DataDir::CreateFile(std::string_view name) const {
  const std::string path = (std::filesystem::path(path_) / name).string();
  const FileDescriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode));
  if (!file.valid()) return SystemError("creating", path, errno);
  return path;
}

}  // namespace refund_relay
