#include "server/ops/file_watcher.h"

#include <fcntl.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/ops/secret_text.h"

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

bool Same(const FileState& a, const FileState& b) { return a.ok() && b.ok() ? *a == *b : a.status() == b.status(); }

// Room for `bytes` and always on the heap. What moves to a larger place is wiped where it was.
void Reserve(std::string& content, size_t bytes) {
  constexpr size_t kLeast = 64;  // more than a string holds inside itself
  if (content.capacity() >= std::max(bytes, kLeast)) return;
  std::string larger;
  larger.reserve(std::max(bytes, kLeast));
  larger = content;
  content.swap(larger);
  Wipe(larger);
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
  constexpr size_t kStep = 4096;
  std::string content;
  // What the file says of its size is a hint: those in /proc say 0.
  Reserve(content, std::min(static_cast<size_t>(about.st_size), max_bytes) + kStep);
  size_t size = 0;
  while (true) {
    Reserve(content, size + kStep);
    content.resize(size + kStep);
    const ssize_t got = read(file, content.data() + size, kStep);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      const int error = errno;
      content.resize(size);
      if (got == 0) return content;
      Wipe(content);
      return ReadError(path, error);
    }
    size += static_cast<size_t>(got);
    if (size > max_bytes) {
      Wipe(content);
      return absl::ResourceExhaustedError(
          absl::StrCat("cannot read ", path, ": it is larger than ", max_bytes, " bytes; is it the right file?"));
    }
  }
}

FileState StateOf(const absl::StatusOr<std::string>& content) {
  if (!content.ok()) return content.status();
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(content->data()), content->size(), digest.data());
  return digest;
}

bool FileChangeDetector::Check(const FileState& read) {
  if (Same(read, known_)) {
    unsettled_.reset();
    return false;
  }
  if (unsettled_.has_value() && Same(read, *unsettled_)) return CheckOnDemand(read);
  unsettled_ = read;
  return false;
}

bool FileChangeDetector::CheckOnDemand(const FileState& read) {
  unsettled_.reset();
  if (Same(read, known_)) return false;
  known_ = read;
  return true;
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

void FileWatcher::Watch(std::string path, FileState known, Changed changed) {
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
      absl::StatusOr<std::string> read = ReadFile(file->path);
      const FileState state = StateOf(read);
      if (on_demand ? file->detector.CheckOnDemand(state) : file->detector.Check(state)) file->changed(read);
      if (read.ok()) Wipe(*read);
    }
    absl::MutexLock lock(&mutex_);
    done_ = requested;
  }
}

}  // namespace refund_relay
