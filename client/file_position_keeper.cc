// Positions kept in a file that is replaced as a whole.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/position_file_text.h"
#include "refund_relay/position_keeper.h"
#include "refund_relay/rpc_error.h"

namespace refund_relay {
namespace {

// A file of ours is a few hundred bytes, plus the filter's lists.
constexpr size_t kMaxFileBytes = 1 << 20;
constexpr mode_t kMode = 0644;

// An open file or folder; closed when it goes.
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : fd_(open(path.c_str(), flags | O_CLOEXEC, kMode)) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  bool ok() const { return fd_ >= 0; }
  int fd() const { return fd_; }

 private:
  const int fd_;
};

// By errno: only what may pass by itself has a code after which a commit is tried again.
absl::Status SystemError(std::string_view what, const std::string& path) {
  const int error = errno;
  const std::string message = absl::StrCat(path, ": cannot ", std::string(what), ": ", std::strerror(error));
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
      return absl::ResourceExhaustedError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(absl::StrCat(message, "; the folder must exist"));
    case EIO:
      return absl::InternalError(message);
    default:
      return absl::FailedPreconditionError(message);
  }
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

class FilePositionKeeper final : public PositionKeeper {
 public:
  FilePositionKeeper(std::string path, std::string subscriber_name)
      : path_(std::move(path)), subscriber_name_(std::move(subscriber_name)) {}

  absl::StatusOr<std::optional<KeptPosition>> Load() override {
    if (const auto status = Lock(); !status.ok()) return status;
    const Descriptor file(path_, O_RDONLY);
    if (!file.ok()) {
      if (errno == ENOENT) return std::nullopt;  // the folder is there: the lock lies in it
      return SystemError("open it", path_);
    }
    std::string text;
    std::array<char, 4096> block;
    for (;;) {
      const ssize_t count = read(file.fd(), block.data(), block.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return SystemError("read it", path_);
      if (count == 0) break;
      text.append(block.data(), static_cast<size_t>(count));
      if (text.size() > kMaxFileBytes) break;  // the parser says what it is not
    }
    auto kept = ParsePositionFile(subscriber_name_, text);
    if (kept.ok()) return *std::move(kept);
    RpcError error = RpcErrorOf(kept.status());
    error.message = absl::StrCat("the position file ", path_, ": ", error.message,
                                 ". Restore it, or delete it, knowingly: then the next run begins at its chosen start");
    return StatusOf(error);
  }

  absl::Status Commit(const KeptPosition& kept) override {
    if (const auto status = Lock(); !status.ok()) return status;
    const std::string temporary = path_ + ".new";
    {
      const Descriptor file(temporary, O_WRONLY | O_CREAT | O_TRUNC);
      if (!file.ok()) return SystemError("create it", temporary);
      if (!WriteAll(file.fd(), FormatPositionFile(subscriber_name_, kept))) return SystemError("write it", temporary);
      if (fsync(file.fd()) != 0) return SystemError("sync it", temporary);
    }
    if (rename(temporary.c_str(), path_.c_str()) != 0) return SystemError("replace it", path_);
    const Descriptor folder(FolderOf(path_), O_RDONLY | O_DIRECTORY);
    if (!folder.ok() || fsync(folder.fd()) != 0) return SystemError("sync its folder", path_);
    return absl::OkStatus();
  }

 private:
  // Once; it is held for as long as this keeper lives.
  absl::Status Lock() {
    if (lock_ != nullptr) return absl::OkStatus();
    const std::string path = path_ + ".lock";
    auto lock = std::make_unique<Descriptor>(path, O_RDWR | O_CREAT);
    if (!lock->ok()) return SystemError("create it", path);
    if (flock(lock->fd(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return SystemError("lock it", path);
      return StatusOf(MakeRpcError(
          grpc::StatusCode::FAILED_PRECONDITION,
          absl::StrCat("the position file ", path_, " is in use by another process; one file serves one subscriber"),
          "POSITION_FILE_LOCKED"));
    }
    lock_ = std::move(lock);
    return absl::OkStatus();
  }

  const std::string path_;
  const std::string subscriber_name_;
  std::unique_ptr<Descriptor> lock_;
};

}  // namespace

std::unique_ptr<PositionKeeper> MakeFilePositionKeeper(std::string path, std::string subscriber_name) {
  return std::make_unique<FilePositionKeeper>(std::move(path), std::move(subscriber_name));
}

}  // namespace refund_relay
