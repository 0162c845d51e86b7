#include "server/log/checkpointer.h"

#include <sys/stat.h>

#include <utility>

#include "absl/status/statusor.h"
#include "server/ops/logging.h"

namespace refund_relay {
namespace {

uint64_t FileSize(const std::string& path) {
  struct stat info{};
  return stat(path.c_str(), &info) == 0 ? static_cast<uint64_t>(info.st_size) : 0;
}

}  // namespace

Checkpointer::Checkpointer(SqliteConnection connection, std::string database_path,
                           std::function<void(const absl::Status&)> failed)
    : db_(std::move(connection)), database_path_(std::move(database_path)), failed_(std::move(failed)) {
  MeasureFiles();
  thread_ = std::thread([this] { Run(); });
}

Checkpointer::~Checkpointer() { Stop(); }

void Checkpointer::Wake() {
  absl::MutexLock lock(&mu_);
  grown_ = true;
}

void Checkpointer::RequestStop() {
  absl::MutexLock lock(&mu_);
  stopping_ = true;
}

void Checkpointer::Stop() {
  RequestStop();
  if (thread_.joinable()) thread_.join();
}

void Checkpointer::Run() {
  bool was_failing = false;
  for (;;) {
    {
      absl::MutexLock lock(&mu_);
      const auto has_work = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return grown_ || stopping_; };
      mu_.Await(absl::Condition(&has_work));
      mu_.AwaitWithTimeout(absl::Condition(&stopping_), kCheckpointInterval);
      if (stopping_) return;
      grown_ = false;
    }
    const absl::StatusOr<bool> done = db_.Checkpoint(CheckpointMode::kPassive);
    if (absl::IsAborted(done.status())) {
      failed_(done.status());
      return;
    }
    if (!done.ok() && !was_failing) {
      Log(LogLevel::kWarning, "a checkpoint did not succeed; the write-ahead log grows until one does",
          {{"cause", done.status()}});
    }
    was_failing = !done.ok();
    MeasureFiles();
  }
}

void Checkpointer::MeasureFiles() {
  log_bytes_.store(FileSize(database_path_), std::memory_order_relaxed);
  wal_bytes_.store(FileSize(database_path_ + "-wal"), std::memory_order_relaxed);
}

}  // namespace refund_relay
