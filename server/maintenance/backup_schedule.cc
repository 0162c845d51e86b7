#include "server/maintenance/backup_schedule.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/maintenance/backup.h"
#include "server/ops/logging.h"

namespace refund_relay {
namespace {

constexpr char kTimeFormat[] = "%E4Y%m%dT%H%M%SZ";
constexpr std::string_view kSuffix = ".db";
// The wall clock may be set meanwhile, so it is looked at again this soon.
constexpr absl::Duration kLongestWait = absl::Minutes(1);

double Seconds(absl::Time time) { return absl::ToDoubleSeconds(time - absl::UnixEpoch()); }

template <typename Family>
auto& AddOne(prometheus::Registry& registry, Family builder, const std::string& name, const std::string& help) {
  return builder.Name(name).Help(help).Register(registry).Add({});
}

}  // namespace

BackupSchedule::BackupSchedule(prometheus::Registry& registry, Options options)
    : options_(std::move(options)),
      prefix_(absl::StrCat("refund-relay-", options_.log_id, "-")),
      last_success_(AddOne(registry, prometheus::BuildGauge(), "refund_relay_backup_last_success_timestamp_seconds",
                           "When the newest backup was taken; 0 when there is none.")),
      duration_(AddOne(registry, prometheus::BuildGauge(), "refund_relay_backup_duration_seconds",
                       "How long the last backup took, its check included.")),
      failures_(
          AddOne(registry, prometheus::BuildCounter(), "refund_relay_backup_failures_total", "Backups that failed.")) {
  AddOne(registry, prometheus::BuildGauge(), "refund_relay_backup_interval_seconds",
         "--backup_interval: how often a backup is to be taken.")
      .Set(absl::ToDoubleSeconds(options_.interval));
  if (const std::vector<Backup> existing = Existing(); !existing.empty()) {
    last_success_.Set(Seconds(existing.back().taken_at));
  }
}

BackupSchedule::~BackupSchedule() { Stop(); }

void BackupSchedule::Start() {
  thread_.Start(absl::ZeroDuration(), [this] { return RunOnce(); });
}

void BackupSchedule::Stop() { thread_.Stop(); }

std::vector<BackupSchedule::Backup> BackupSchedule::Existing() const {
  std::vector<Backup> backups;
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator(options_.folder, error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!absl::StartsWith(name, prefix_) || name.size() <= prefix_.size() + kSuffix.size() ||
        !std::string_view(name).ends_with(kSuffix)) {
      continue;
    }
    Backup backup{name, absl::Time()};
    const std::string time = name.substr(prefix_.size(), name.size() - prefix_.size() - kSuffix.size());
    std::string ignored;
    if (absl::ParseTime(kTimeFormat, time, &backup.taken_at, &ignored)) backups.push_back(std::move(backup));
  }
  std::sort(backups.begin(), backups.end(), [](const Backup& a, const Backup& b) { return a.name < b.name; });
  return backups;
}

void BackupSchedule::DeletePartial() const {
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator(options_.folder, error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (absl::StartsWith(name, prefix_) && std::string_view(name).ends_with(kPartialSuffix)) {
      std::error_code ignored;
      std::filesystem::remove(entry->path(), ignored);
    }
  }
}

absl::Status BackupSchedule::MakeOne(const std::string& name) {
  std::error_code error;
  if (std::filesystem::create_directories(options_.folder, error)) {
    std::filesystem::permissions(options_.folder, std::filesystem::perms::owner_all, error);
  }
  if (error) return absl::UnavailableError(absl::StrCat("making the folder ", options_.folder, ": ", error.message()));
  DeletePartial();
  const absl::Time begun = absl::Now();
  const auto report = MakeBackup(options_.database, (std::filesystem::path(options_.folder) / name).string(),
                                 [this] { return thread_.stop_requested(); });
  if (!report.ok()) return report.status();
  const double seconds = absl::ToDoubleSeconds(absl::Now() - begun);
  duration_.Set(seconds);
  Log(LogLevel::kInfo, "a backup was taken",
      {{"file", name},
       {"last_sequence", report->taken_of.last_sequence},
       {"bytes", report->bytes},
       {"seconds", seconds}});
  return absl::OkStatus();
}

void BackupSchedule::DeleteOld(const std::string& newest) {
  std::vector<Backup> backups = Existing();
  // Whatever a clock that was wrong has called the others.
  std::erase_if(backups, [&newest](const Backup& backup) { return backup.name == newest; });
  while (backups.size() + 1 > options_.keep && !backups.empty()) {
    std::error_code error;
    std::filesystem::remove(std::filesystem::path(options_.folder) / backups.front().name, error);
    if (error) {
      Log(LogLevel::kWarning, "an old backup could not be deleted; delete it by hand",
          {{"file", backups.front().name}, {"cause", error.message()}});
    }
    backups.erase(backups.begin());
  }
}

absl::Duration BackupSchedule::RunOnce() {
  const absl::Time now = options_.clock->Now();
  for (const Backup& backup : Existing()) {
    const absl::Duration age = now - backup.taken_at;
    if (age >= absl::ZeroDuration() && age < options_.interval) return std::min(options_.interval - age, kLongestWait);
  }
  const std::string name =
      absl::StrCat(prefix_, absl::FormatTime(kTimeFormat, now, absl::UTCTimeZone()), std::string(kSuffix));
  const absl::Status made = MakeOne(name);
  if (absl::IsCancelled(made)) return absl::ZeroDuration();
  if (!made.ok()) {
    failures_.Increment();
    Log(LogLevel::kError, "a backup failed; it is tried again, see --backup_dir", {{"file", name}, {"cause", made}});
    return std::min(options_.interval, kRetryBackupAfter);
  }
  last_success_.Set(Seconds(now));
  DeleteOld(name);
  return std::min(options_.interval, kLongestWait);
}

}  // namespace refund_relay
