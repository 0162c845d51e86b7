// OpenStorage: the log by its name on the command line. Who calls it needs no header of any database.
#ifndef REFUND_RELAY_SERVER_LOG_OPEN_STORAGE_H_
#define REFUND_RELAY_SERVER_LOG_OPEN_STORAGE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/log/data_dir.h"
#include "server/log/event_log.h"
#include "server/log/log_limits.h"
#include "server/log/log_metrics.h"
#include "server/log/position_store.h"
#include "server/log/quarantine.h"
#include "server/ops/clock.h"

namespace refund_relay {

struct StorageOptions {
  std::string log = "sqlite";             // `sqlite` or `memory`
  std::string data_dir;                   // for `sqlite`; made if missing
  const Clock* clock = &Clock::System();  // must outlive the storage
  LogLimits limits;
  LogMetrics* metrics = nullptr;  // may be null; must outlive the storage
  // Called once, on a thread of the log, when it has failed for good: exit non-zero. Must not close the log.
  std::function<void(const absl::Status&)> on_fatal;
  bool allow_network_filesystem = false;
  size_t max_quarantined_webhooks = kDefaultMaxQuarantinedWebhooks;
};

struct Storage {
  std::unique_ptr<EventLog> log;
  // The log's own, and closed with it.
  PositionStore* positions = nullptr;
  Quarantine* quarantine = nullptr;
};

// Errors: INVALID_ARGUMENT for a name that is none, UNIMPLEMENTED for `jetstream`, and those of the log's own Open.
absl::StatusOr<Storage> OpenStorage(const StorageOptions& options);

// The file of a log of the kind `sqlite`.
std::string LogDatabasePath(const std::string& data_dir);

// The space where `data_dir` is; nothing when that cannot be told.
std::optional<DiskSpace> DataDirSpace(const std::string& data_dir);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_OPEN_STORAGE_H_
