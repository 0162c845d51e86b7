// LogWriter: the one thread that makes durable writes, in groups that share a transaction and a sync.
#ifndef REFUND_RELAY_SERVER_LOG_LOG_WRITER_H_
#define REFUND_RELAY_SERVER_LOG_LOG_WRITER_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/log/log_metrics.h"

namespace refund_relay {

// One durable write: an append, a committed position, a quarantined webhook, a trim.
class WriteCommand {
 public:
  virtual ~WriteCommand() = default;

  // Writes, inside the transaction that the whole batch shares; on the writer's thread. A refusal by the command's own
  // rules is not an error here but an outcome, kept until `Answer`. An error rolls the whole batch back.
  virtual absl::Status Execute() = 0;

  // Called exactly once: OK after the outcome is durable, else the reason why nothing was written (or, ABORTED, why
  // nobody knows). May run while another thread is inside `Execute`, so it must not touch what `Execute` writes unless
  // `status` is OK.
  virtual void Answer(const absl::Status& status) = 0;

  // How much of the queue's bounds it takes. `bytes` is never 0, so that every queue of commands is bounded.
  virtual size_t events() const { return 0; }
  virtual size_t bytes() const = 0;
};

// What commands write to. Every call comes from the writer's thread.
class CommitStore {
 public:
  virtual ~CommitStore() = default;

  virtual absl::Status Begin() = 0;
  // ABORTED when the outcome is unknown; any other error means that nothing was written.
  virtual absl::Status Commit() = 0;
  // Undoes everything since Begin, also after a failed Commit. ABORTED when that is impossible.
  virtual absl::Status Rollback() = 0;

  // After a durable commit, before its commands are answered: shows the commit's events to the tail.
  virtual void Published() {}
  // After the answers of a commit: upkeep that should not wait, nor be waited for. An error fails the log.
  virtual absl::Status Maintain() { return absl::OkStatus(); }
  // Makes some durable write, to see whether storage works again.
  virtual absl::Status Probe() { return absl::OkStatus(); }
};

// Drains what waits, commits it with one sync, shows it to the tail and answers each command. Adds no delay when idle.
//
// Fails closed: once a commit's outcome is unknown (or `Fail` was called), everything that waits and everything that
// comes is answered ABORTED, `on_fatal` is called once, and storage is not touched again. After other errors it goes
// on, and probes once per `probe_interval` while the last write failed, so that Health recovers without traffic.
class LogWriter {
 public:
  struct Options {
    size_t queue_limit_events = 0;
    size_t queue_limit_bytes = 0;
    size_t max_batch_events = 0;
    size_t max_batch_bytes = 0;
    absl::Duration probe_interval = absl::Seconds(1);
    LogMetrics* metrics = nullptr;                      // may be null; must outlive the writer
    std::function<void(const absl::Status&)> on_fatal;  // may be empty; must not call Close
  };

  // `store` must outlive the writer. The thread starts at once.
  LogWriter(CommitStore& store, Options options);
  // Waits for the thread, however long storage takes; what is still unanswered is answered first.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // Thread-safe; never blocks on storage. Refuses (answering on the caller's thread) with RESOURCE_EXHAUSTED,
  // UNAVAILABLE or ABORTED as EventLog::Append says. A command larger than the byte limit is let in alone.
  void Submit(std::unique_ptr<WriteCommand> command);

  // Fails the log for good because of what another thread saw, for example a failed sync.
  void Fail(const absl::Status& cause);

  // As EventLog::Health and EventLog::Close. After an OK Close the thread touches nothing any more; after
  // DEADLINE_EXCEEDED it may still be inside storage, and the destructor waits for it.
  absl::Status Health();
  absl::Status Close(absl::Time deadline);

  // Events that were submitted and are not answered yet, and their bytes.
  size_t queued_events();
  size_t queued_bytes();

 private:
  using Batch = std::vector<std::unique_ptr<WriteCommand>>;
  // kCommitting: the batch is being written, and Close may take its answers away at its deadline (kAbandoned).
  enum class Phase { kIdle, kCommitting, kAnswering, kAbandoned, kEnded };

  void Run();
  // Waits for work. Moves the next batch to `batch_`; leaves it empty when it is time to probe. False at the end.
  bool Take();
  void CommitBatch();
  absl::Status Write();
  void ProbeStorage();
  // Remembers the failure; false when the log had failed before.
  bool MarkFailed(const absl::Status& cause) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Tells everyone about the failure that this thread marked.
  void ReportFailure(const absl::Status& cause);
  void RecordHealth(const absl::Status& written) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Release(const Batch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !queue_.empty() || closing_ || !failed_.ok(); }
  bool IsEnded() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return phase_ == Phase::kEnded; }
  bool IsNotAnswering() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return phase_ != Phase::kAnswering; }

  CommitStore& store_;
  const Options options_;

  absl::Mutex mu_;
  Batch queue_ ABSL_GUARDED_BY(mu_);
  size_t queued_events_ ABSL_GUARDED_BY(mu_) = 0;
  size_t queued_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  bool closing_ ABSL_GUARDED_BY(mu_) = false;
  Phase phase_ ABSL_GUARDED_BY(mu_) = Phase::kIdle;
  absl::Status failed_ ABSL_GUARDED_BY(mu_);   // ABORTED once the log has failed
  absl::Status trouble_ ABSL_GUARDED_BY(mu_);  // UNAVAILABLE while the last write failed

  // The batch being written. The vector is changed only by the writer's thread, under `mu_` and in no phase in which
  // Close may look at it; so it is read without a lock there.
  Batch batch_;
  std::thread thread_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_LOG_WRITER_H_
