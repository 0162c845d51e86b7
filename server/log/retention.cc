#include "server/log/retention.h"

#include <time.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "server/ops/logging.h"

namespace refund_relay {
namespace {

// Ages of ids are remembered this exactly: a walk over all ids follows each of them.
constexpr int kMarksPerDedupeAge = 32;

}  // namespace

absl::Duration SinceBoot() {
  timespec since_boot{};
  clock_gettime(CLOCK_BOOTTIME, &since_boot);
  return absl::DurationFromTimespec(since_boot);
}

Retention::Retention(EventLog& log, Options options) : log_(log), options_(std::move(options)) {}

Retention::~Retention() { Stop(); }

void Retention::Start() {
  thread_.Start(absl::ZeroDuration(), [this] { return RunOnce(); });
}

void Retention::Stop() { thread_.Stop(); }

std::string Retention::ClockTrouble(absl::Time now, absl::Time newest) {
  const absl::Duration since_boot = options_.since_boot();
  const absl::Time boot_time = now - since_boot;
  if (!boot_time_.has_value()) {
    boot_time_ = boot_time;
    const bool is_silent = now - newest > kLongSilence;
    settled_at_ = is_silent ? since_boot + kClockSettleTime : since_boot;
  }
  const absl::Duration jump = boot_time - *boot_time_;
  if (absl::AbsDuration(jump) > kClockTolerance) {
    return absl::StrCat("the clock jumped by ", absl::FormatDuration(jump),
                        "; set it right, or, if it is right now, restart refund-relay");
  }
  boot_time_ = boot_time;  // small corrections are followed
  if (newest > now + kClockTolerance) {
    return absl::StrCat("the newest event was stored at ", absl::FormatTime(newest, absl::UTCTimeZone()),
                        ", which is yet to come; set the clock right, or wait until then");
  }
  return "";
}

void Retention::SetPaused(const std::string& trouble) {
  const bool paused = !trouble.empty();
  if (options_.metrics != nullptr) options_.metrics->RetentionPaused(paused);
  if (paused == std::exchange(paused_, paused)) return;
  if (paused) {
    Log(LogLevel::kError, "retention is paused, nothing is deleted: the clock cannot be trusted", {{"cause", trouble}});
  } else {
    Log(LogLevel::kInfo, "retention goes on: the clock can be trusted again");
  }
}

std::optional<TrimRequest> Retention::WorkFor(const LogInfo& info, absl::Time now) const {
  // A silent log loses nothing, and a clock that was set back makes nothing older.
  const absl::Time reference = std::min(*info.last_stored_at, now);
  TrimRequest request;
  bool work = false;
  if (options_.age > absl::ZeroDuration() && info.first_stored_at.has_value()) {
    request.stored_before = reference - options_.age;
    // A damaged record may say that it is the youngest of all; the log looks at the one behind it.
    work = *info.first_stored_at < request.stored_before || *info.first_stored_at > *info.last_stored_at;
  }
  if (options_.max_bytes > 0 && info.first_sequence < info.last.sequence) {
    request.max_bytes = options_.max_bytes;
    // The file may have room that is free; the log looks closer.
    work = work || info.log_bytes + info.wal_bytes > options_.max_bytes;
  }
  if (options_.dedupe_age > absl::ZeroDuration()) {
    request.forget_before = reference - options_.dedupe_age;
    request.mark_interval = std::min(absl::Hours(24), options_.dedupe_age / kMarksPerDedupeAge);
    work = work || info.first_sequence > 1;
  }
  return work ? std::optional(request) : std::nullopt;
}

std::optional<absl::StatusOr<TrimOutcome>> Retention::Step(const TrimRequest& request) {
  // Shared with the callback, which may come after this gave up waiting.
  struct State {
    absl::Mutex mu;
    std::optional<absl::StatusOr<TrimOutcome>> outcome ABSL_GUARDED_BY(mu);
  };
  const auto state = std::make_shared<State>();
  log_.Trim(request, [state](absl::StatusOr<TrimOutcome> outcome) {
    absl::MutexLock lock(&state->mu);
    state->outcome = std::move(outcome);
  });
  constexpr absl::Duration kLookForStop = absl::Milliseconds(50);
  for (;;) {
    absl::MutexLock lock(&state->mu);
    const auto answered = [&state]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(state->mu) { return state->outcome.has_value(); };
    if (state->mu.AwaitWithTimeout(absl::Condition(&answered), kLookForStop)) return std::move(state->outcome);
    if (thread_.stop_requested()) return std::nullopt;
  }
}

absl::Duration Retention::RunOnce() {
  const LogInfo info = log_.Info();
  if (!info.last_stored_at.has_value()) return kRetentionInterval;
  const absl::Time now = options_.clock->Now();
  const std::string trouble = ClockTrouble(now, *info.last_stored_at);
  SetPaused(trouble);
  if (paused_ || options_.since_boot() < *settled_at_) return kRetentionInterval;
  const std::optional<TrimRequest> request = WorkFor(info, now);
  if (!request.has_value()) return kRetentionInterval;

  const absl::Duration begun = options_.since_boot();
  const std::optional<absl::StatusOr<TrimOutcome>> outcome = Step(*request);
  if (!outcome.has_value()) return absl::ZeroDuration();
  if (absl::IsDataLoss(outcome->status())) {
    if (!std::exchange(told_damage_, true)) {
      Log(LogLevel::kError,
          "retention cannot delete the oldest events, which are damaged; run verify, restore a backup",
          {{"cause", outcome->status()}});
    }
    return kRestAfterDamage;
  }
  if (!outcome->ok()) return kRetentionInterval;  // the log tells its troubles itself
  told_damage_ = false;
  const TrimOutcome& trimmed = **outcome;
  if (options_.metrics != nullptr) options_.metrics->Trimmed(trimmed.events.size(), trimmed.forgotten_ids);
  if (options_.trimmed && !trimmed.events.empty()) options_.trimmed(trimmed.events);
  if (!trimmed.more) return kRetentionInterval;
  return std::max(kRestBetweenSteps, kRestPerStep * (options_.since_boot() - begun));
}

}  // namespace refund_relay
