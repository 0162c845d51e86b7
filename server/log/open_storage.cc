#include "server/log/open_storage.h"

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/log/data_dir.h"
#include "server/log/memory_event_log.h"
#include "server/log/sqlite_event_log.h"
#include "server/log/sqlite_schema.h"

namespace refund_relay {

absl::StatusOr<Storage> OpenStorage(const StorageOptions& options) {
  Storage storage;
  if (options.log == "sqlite") {
    SqliteEventLog::Options sqlite;
    sqlite.data_dir = options.data_dir;
    sqlite.clock = options.clock;
    sqlite.limits = options.limits;
    sqlite.metrics = options.metrics;
    sqlite.on_fatal = options.on_fatal;
    sqlite.allow_network_filesystem = options.allow_network_filesystem;
    sqlite.max_quarantined_webhooks = options.max_quarantined_webhooks;
    absl::StatusOr<std::unique_ptr<SqliteEventLog>> log = SqliteEventLog::Open(std::move(sqlite));
    if (!log.ok()) return log.status();
    storage.positions = &(*log)->positions();
    storage.quarantine = &(*log)->quarantine();
    storage.log = *std::move(log);
    return storage;
  }
  if (options.log == "memory") {
    MemoryEventLog::Options memory;
    memory.clock = options.clock;
    memory.limits = options.limits;
    memory.metrics = options.metrics;
    memory.max_quarantined_webhooks = options.max_quarantined_webhooks;
    auto log = std::make_unique<MemoryEventLog>(std::move(memory));
    storage.positions = &log->positions();
    storage.quarantine = &log->quarantine();
    storage.log = std::move(log);
    return storage;
  }
  if (options.log == "jetstream") {
    return absl::UnimplementedError("--log=jetstream is not part of this version; use --log=sqlite");
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--log=", options.log, " is no log; use sqlite (durable) or memory (forgets everything on exit)"));
}

std::string LogDatabasePath(const std::string& data_dir) {
  return (std::filesystem::path(data_dir) / kDatabaseFile).string();
}

std::optional<DiskSpace> DataDirSpace(const std::string& data_dir) {
  const absl::StatusOr<DiskSpace> space = DiskSpaceAt(data_dir);
  if (!space.ok()) return std::nullopt;
  return *space;
}

}  // namespace refund_relay
