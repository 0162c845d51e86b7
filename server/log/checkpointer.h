// Checkpointer: moves the write-ahead log's content into the database, off the commit path.
#ifndef REFUND_RELAY_SERVER_LOG_CHECKPOINTER_H_
#define REFUND_RELAY_SERVER_LOG_CHECKPOINTER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/log/sqlite_database.h"

namespace refund_relay {

// A passive checkpoint follows a commit after this time, so under load there is one per interval and at rest none.
inline constexpr absl::Duration kCheckpointInterval = absl::Milliseconds(20);

// A thread with a connection of its own. Thread-safe.
class Checkpointer {
 public:
  // `failed` is called (on the checkpointer's thread, at most once) with an ABORTED status when a sync fails; after
  // that no checkpoint is tried.
  Checkpointer(SqliteConnection connection, std::string database_path, std::function<void(const absl::Status&)> failed);
  // Stops.
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  // The write-ahead log has grown. Never blocks on storage.
  void Wake();
  // No checkpoint begins from now on. Does not wait; may be called from the checkpointer's own thread.
  void RequestStop();
  // As RequestStop, then waits for a checkpoint that is under way and ends the thread.
  void Stop();

  // Sizes of the files, as of the last checkpoint.
  uint64_t log_bytes() const { return log_bytes_.load(std::memory_order_relaxed); }
  uint64_t wal_bytes() const { return wal_bytes_.load(std::memory_order_relaxed); }

 private:
  void Run();
  void MeasureFiles();

  SqliteConnection db_;
  const std::string database_path_;
  const std::function<void(const absl::Status&)> failed_;
  std::atomic<uint64_t> log_bytes_ = 0;
  std::atomic<uint64_t> wal_bytes_ = 0;

  absl::Mutex mu_;
  bool grown_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_CHECKPOINTER_H_
