#include "server/ops/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/ops/file_watcher.h"

namespace refund_relay {
namespace {

// Fields of /proc/self/stat (man 5 proc), counted from 0 after the command's name: that one may hold blanks.
struct ProcessStat {
  double cpu_seconds = 0;
  double threads = 0;
  double start_seconds_after_boot = 0;
  double virtual_bytes = 0;
  double resident_bytes = 0;
};

std::optional<ProcessStat> ReadStat() {
  const auto text = ReadFile("/proc/self/stat");
  if (!text.ok()) return std::nullopt;
  const size_t name_end = text->rfind(')');
  if (name_end == std::string::npos || name_end + 2 > text->size()) return std::nullopt;
  const std::vector<std::string> fields = absl::StrSplit(text->substr(name_end + 2), ' ');
  const auto number = [&fields](size_t field) {
    double value = 0;
    return field < fields.size() && absl::SimpleAtod(fields[field], &value) ? value : 0.0;
  };
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  ProcessStat stat;
  stat.cpu_seconds = (number(11) + number(12)) / ticks;
  stat.threads = number(17);
  stat.start_seconds_after_boot = number(19) / ticks;
  stat.virtual_bytes = number(20);
  stat.resident_bytes = number(21) * static_cast<double>(sysconf(_SC_PAGESIZE));
  return stat;
}

// The same value at each scrape, although the clocks are read a little apart: `changes()` of it counts restarts.
double StartTime(double seconds_after_boot) {
  static const absl::Time boot = [] {
    timespec since_boot{};
    clock_gettime(CLOCK_BOOTTIME, &since_boot);
    return absl::Now() - absl::DurationFromTimespec(since_boot);
  }();
  return absl::ToDoubleSeconds(boot - absl::UnixEpoch()) + seconds_after_boot;
}

std::optional<double> OpenFiles() {
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return std::nullopt;
  double open = -1;                                // the folder itself
  while (const dirent* entry = readdir(folder)) {  // NOLINT(concurrency-mt-unsafe): a DIR of our own
    if (entry->d_name[0] != '.') ++open;
  }
  closedir(folder);
  return open;
}

prometheus::MetricFamily Family(const char* name, const char* help, prometheus::MetricType type, double value) {
  prometheus::MetricFamily family;
  family.name = name;
  family.help = help;
  family.type = type;
  family.metric.emplace_back();
  family.metric.back().counter.value = value;
  family.metric.back().gauge.value = value;
  return family;
}

}  // namespace

std::vector<prometheus::MetricFamily> ProcessMetrics::Collect() const {
  using prometheus::MetricType;
  std::vector<prometheus::MetricFamily> families;
  if (const auto stat = ReadStat()) {
    families.push_back(
        Family("process_cpu_seconds_total", "User and system CPU time spent.", MetricType::Counter, stat->cpu_seconds));
    families.push_back(
        Family("process_resident_memory_bytes", "Resident memory.", MetricType::Gauge, stat->resident_bytes));
    families.push_back(
        Family("process_virtual_memory_bytes", "Virtual memory.", MetricType::Gauge, stat->virtual_bytes));
    families.push_back(Family("process_threads", "Threads.", MetricType::Gauge, stat->threads));
    families.push_back(Family("process_start_time_seconds", "Start of the process, seconds since 1970.",
                              MetricType::Gauge, StartTime(stat->start_seconds_after_boot)));
  }
  if (const auto open = OpenFiles()) {
    families.push_back(Family("process_open_fds", "Open file descriptors.", MetricType::Gauge, *open));
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    families.push_back(Family("process_max_fds", "Most file descriptors that may be open.", MetricType::Gauge,
                              static_cast<double>(limit.rlim_cur)));
  }
  return families;
}

}  // namespace refund_relay
