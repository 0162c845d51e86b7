#include "server/log/sqlite_reader_pool.h"

#include <utility>

namespace refund_relay {

absl::StatusOr<std::unique_ptr<SqliteReaderPool>> SqliteReaderPool::Open(const std::string& path,
                                                                         const std::string& vfs, size_t size) {
  std::unique_ptr<SqliteReaderPool> pool(new SqliteReaderPool(size));
  for (size_t i = 0; i < size; ++i) {
    absl::StatusOr<std::unique_ptr<SqliteEventReader>> reader = SqliteEventReader::Open(path, vfs);
    if (!reader.ok()) return reader.status();
    pool->Return(*std::move(reader));
  }
  return pool;
}

std::unique_ptr<SqliteEventReader> SqliteReaderPool::Take() {
  absl::MutexLock lock(&mu_);
  const auto can_take = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return closed_ || !idle_.empty(); };
  mu_.Await(absl::Condition(&can_take));
  if (closed_) return nullptr;
  std::unique_ptr<SqliteEventReader> reader = std::move(idle_.back());
  idle_.pop_back();
  return reader;
}

void SqliteReaderPool::Return(std::unique_ptr<SqliteEventReader> reader) {
  absl::MutexLock lock(&mu_);
  idle_.push_back(std::move(reader));
}

void SqliteReaderPool::Close() {
  std::vector<std::unique_ptr<SqliteEventReader>> readers;  // closed after the lock is let go
  absl::MutexLock lock(&mu_);
  closed_ = true;
  const auto all_back = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return idle_.size() >= size_; };
  mu_.Await(absl::Condition(&all_back));
  readers.swap(idle_);
}

}  // namespace refund_relay
