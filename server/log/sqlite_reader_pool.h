// SqliteReaderPool: lends the embedded log's reading connections to threads.
#ifndef REFUND_RELAY_SERVER_LOG_SQLITE_READER_POOL_H_
#define REFUND_RELAY_SERVER_LOG_SQLITE_READER_POOL_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/log/sqlite_event_reader.h"

namespace refund_relay {

// Thread-safe.
class SqliteReaderPool {
 public:
  // Opens `size` connections.
  static absl::StatusOr<std::unique_ptr<SqliteReaderPool>> Open(const std::string& path, const std::string& vfs,
                                                                size_t size);

  // A reader for as long as the lease lives. Must not outlive the pool.
  class Lease {
   public:
    explicit Lease(SqliteReaderPool& pool) : pool_(pool), reader_(pool.Take()) {}
    ~Lease() {
      if (reader_ != nullptr) pool_.Return(std::move(reader_));
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    // Null when the pool is closed.
    SqliteEventReader* get() const { return reader_.get(); }

   private:
    SqliteReaderPool& pool_;
    std::unique_ptr<SqliteEventReader> reader_;
  };

  // Waits for the readers that are lent, closes all; leases are null from now on.
  void Close();

 private:
  explicit SqliteReaderPool(size_t size) : size_(size) {}
  std::unique_ptr<SqliteEventReader> Take();
  void Return(std::unique_ptr<SqliteEventReader> reader);

  const size_t size_;
  absl::Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::unique_ptr<SqliteEventReader>> idle_ ABSL_GUARDED_BY(mu_);
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_SQLITE_READER_POOL_H_
