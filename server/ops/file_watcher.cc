#include "server/ops/file_watcher.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace refund_relay {
namespace {

absl::Status ReadError(const std::string& path, int error) {
  const auto message = absl::StrCat("cannot read ", path, ": ", std::generic_category().message(error));
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(message);
    default:
      return absl::UnavailableError(message);
  }
}

bool Same(const FileChangeDetector::Content& a, const FileChangeDetector::Content& b) {
  return a.ok() && b.ok() ? *a == *b : a.status() == b.status();
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  // Without O_NONBLOCK, opening a pipe would wait for a writer.
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return ReadError(path, errno);
  const absl::Cleanup close_file = [file] { close(file); };
  struct stat about{};
  if (fstat(file, &about) != 0) return ReadError(path, errno);
  if (!S_ISREG(about.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("cannot read ", path, ": it is not a regular file"));
  }
  std::string content;
  char buffer[4096];
  while (true) {
    const ssize_t got = read(file, buffer, sizeof(buffer));
    if (got == 0) return content;
    if (got < 0) {
      if (errno == EINTR) continue;
      return ReadError(path, errno);
    }
    content.append(buffer, static_cast<size_t>(got));
    if (content.size() > max_bytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat("cannot read ", path, ": it is larger than ", max_bytes, " bytes; is it the right file?"));
    }
  }
}

std::optional<FileChangeDetector::Content> FileChangeDetector::Check(Content read) {
  if (Same(read, known_)) {
    unsettled_.reset();
    return std::nullopt;
  }
  if (unsettled_.has_value() && Same(read, *unsettled_)) return CheckOnDemand(std::move(read));
  unsettled_ = std::move(read);
  return std::nullopt;
}

std::optional<FileChangeDetector::Content> FileChangeDetector::CheckOnDemand(Content read) {
  unsettled_.reset();
  if (Same(read, known_)) return std::nullopt;
  known_ = std::move(read);
  return known_;
}

FileWatcher::FileWatcher(absl::Duration interval) : interval_(interval), thread_([this] { Run(); }) {}

FileWatcher::~FileWatcher() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  rest_.Cut();
  thread_.join();
}

void FileWatcher::Watch(std::string path, absl::StatusOr<std::string> known, Changed changed) {
  auto watched =
      std::make_shared<Watched>(Watched{std::move(path), std::move(changed), FileChangeDetector(std::move(known))});
  absl::MutexLock lock(&mutex_);
  watched_.push_back(std::move(watched));
}

void FileWatcher::RequestCheck() {
  {
    absl::MutexLock lock(&mutex_);
    ++requested_;
  }
  rest_.Cut();
}

void FileWatcher::CheckNow() {
  uint64_t mine = 0;
  {
    absl::MutexLock lock(&mutex_);
    mine = ++requested_;
  }
  rest_.Cut();
  absl::MutexLock lock(&mutex_);
  const auto checked = [this, mine]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return done_ >= mine; };
  mutex_.Await(absl::Condition(&checked));
}

void FileWatcher::Run() {
  while (true) {
    std::vector<std::shared_ptr<Watched>> files;
    uint64_t requested = 0;
    bool on_demand = false;
    rest_.For(interval_);
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
      files = watched_;
      requested = requested_;
      on_demand = requested_ != done_;
    }
    for (const auto& file : files) {
      auto read = ReadFile(file->path);
      auto change = on_demand ? file->detector.CheckOnDemand(std::move(read)) : file->detector.Check(std::move(read));
      if (change.has_value()) file->changed(*std::move(change));
    }
    absl::MutexLock lock(&mutex_);
    done_ = requested;
  }
}

}  // namespace refund_relay
