// BackupSchedule: backups by the clock, beside serving, and the deletion of old ones.
#ifndef REFUND_RELAY_SERVER_MAINTENANCE_BACKUP_SCHEDULE_H_
#define REFUND_RELAY_SERVER_MAINTENANCE_BACKUP_SCHEDULE_H_

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/ops/clock.h"
#include "server/ops/periodic_thread.h"

namespace refund_relay {

// After a backup that failed; sooner if the interval is shorter.
inline constexpr absl::Duration kRetryBackupAfter = absl::Minutes(5);

// A thread with one backup at a time: `refund-relay-<log_id>-<time>.db` in a folder. Of these, and only of those of the
// same log, the newest are kept. A backup that fails is told in the log and in the metrics, and harms nothing else.
//
// Thread safety: `Start` and `Stop` belong to one thread; `RunOnce` to the thread that they own, or to a test.
class BackupSchedule {
 public:
  struct Options {
    std::string database;  // the file of the running log
    std::string log_id;
    std::string folder;  // made if it is missing
    absl::Duration interval = absl::Hours(24);
    size_t keep = 7;                        // at least 1
    const Clock* clock = &Clock::System();  // must outlive this
  };

  // `registry` must outlive this.
  BackupSchedule(prometheus::Registry& registry, Options options);
  ~BackupSchedule();
  BackupSchedule(const BackupSchedule&) = delete;
  BackupSchedule& operator=(const BackupSchedule&) = delete;

  void Start();
  // Ends the thread; a backup under way is given up.
  void Stop();

  // Makes a backup if the newest one is old enough. Returns how long to wait until the next look.
  absl::Duration RunOnce();

 private:
  struct Backup {
    std::string name;
    absl::Time taken_at;
  };

  // This log's backups in the folder, oldest first.
  std::vector<Backup> Existing() const;
  // What a killed process left half-written.
  void DeletePartial() const;
  absl::Status MakeOne(const std::string& name);
  void DeleteOld(const std::string& newest);

  const Options options_;
  const std::string prefix_;  // of this log's backups
  prometheus::Gauge& last_success_;
  prometheus::Gauge& duration_;
  prometheus::Counter& failures_;

  PeriodicThread thread_;  // last: it uses all of the above
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_MAINTENANCE_BACKUP_SCHEDULE_H_
