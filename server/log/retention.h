// Retention: decides which events are old enough to be deleted, and has the log delete them in small steps.
#ifndef REFUND_RELAY_SERVER_LOG_RETENTION_H_
#define REFUND_RELAY_SERVER_LOG_RETENTION_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/log/event_log.h"
#include "server/log/log_metrics.h"
#include "server/ops/clock.h"
#include "server/ops/periodic_thread.h"

namespace refund_relay {

inline constexpr absl::Duration kDefaultRetentionAge = absl::Hours(24 * 30);
// Between two looks at a log in which there is nothing to delete.
inline constexpr absl::Duration kRetentionInterval = absl::Seconds(1);
// Between two steps while there is: appends have the writer to themselves meanwhile. After a step that took long (the
// writer is busy) the rest is kRestPerStep times that.
inline constexpr absl::Duration kRestBetweenSteps = absl::Milliseconds(20);
inline constexpr int kRestPerStep = 4;
// After a step that found damage.
inline constexpr absl::Duration kRestAfterDamage = absl::Minutes(10);
// The wall clock may part this much from the time since boot, and the newest event may be this far ahead of it.
inline constexpr absl::Duration kClockTolerance = absl::Minutes(1);
// A machine may boot with a wrong clock, which is set right soon after. So a log whose newest event is older than the
// first is not trimmed for the second after a start.
inline constexpr absl::Duration kLongSilence = absl::Hours(24);
inline constexpr absl::Duration kClockSettleTime = absl::Minutes(10);

// CLOCK_BOOTTIME: how long the machine runs, sleep included, whoever sets the wall clock.
absl::Duration SinceBoot();

// Ages count from the newest event (or from now, if that is earlier), so a log in which nothing comes loses nothing.
//
// A clock that jumped would make everything too old at once. So retention is paused, with an error in the log and in a
// metric, from a jump on until the clock is set back or the server is restarted, and while the newest event lies in the
// future.
//
// Thread safety: `Start` and `Stop` belong to one thread; `RunOnce` to the thread that they own, or to a test.
class Retention {
 public:
  struct Options {
    absl::Duration age = kDefaultRetentionAge;         // 0 = events are kept for ever
    uint64_t max_bytes = 0;                            // 0 = as many as there are
    absl::Duration dedupe_age = absl::ZeroDuration();  // 0 = ids are remembered for ever
    const Clock* clock = &Clock::System();             // must outlive this
    std::function<absl::Duration()> since_boot = SinceBoot;
    LogMetrics* metrics = nullptr;  // may be null; must outlive this
    // Called with the events of each step, once they are gone for good.
    std::function<void(absl::Span<const TrimmedEvent>)> trimmed;
  };

  // `log` must outlive this.
  Retention(EventLog& log, Options options);
  ~Retention();
  Retention(const Retention&) = delete;
  Retention& operator=(const Retention&) = delete;

  void Start();
  // Ends the thread; does not wait for a step that storage is still busy with.
  void Stop();

  // Looks at the clock and the log and takes at most one step, waiting for its outcome. Returns how long to rest.
  absl::Duration RunOnce();

  // Whether the last look did not trust the clock.
  bool paused() const { return paused_; }

 private:
  // Why the clock cannot be trusted now, and what to do; empty when it can.
  std::string ClockTrouble(absl::Time now, absl::Time newest);
  void SetPaused(const std::string& trouble);
  std::optional<TrimRequest> WorkFor(const LogInfo& info, absl::Time now) const;
  // Unset when `Stop` came first.
  std::optional<absl::StatusOr<TrimOutcome>> Step(const TrimRequest& request);

  EventLog& log_;
  const Options options_;

  // Of the thread that looks.
  std::optional<absl::Time> boot_time_;  // by the clock as it was trusted last
  std::optional<absl::Duration> settled_at_;
  bool paused_ = false;
  bool told_damage_ = false;

  PeriodicThread thread_;  // last: it uses all of the above
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_RETENTION_H_
