// Measures the embedded log: synced appends a second, their latency, and a bare fdatasync to compare them with.
//
// usage: log_bench <empty folder> [seconds per measurement]
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/log/sqlite_event_log.h"

namespace refund_relay {
namespace {

constexpr size_t kEventBytes = 1200;
constexpr int kRawSyncs = 2000;

double Percentile(std::vector<int64_t>& nanos, double p) {
  if (nanos.empty()) return 0;
  const auto nth = nanos.begin() + static_cast<std::ptrdiff_t>(p * static_cast<double>(nanos.size() - 1));
  std::nth_element(nanos.begin(), nth, nanos.end());
  return static_cast<double>(*nth) / 1e6;
}

bool MeasureFdatasync(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  const std::string block(4096, 'x');
  std::vector<int64_t> nanos;
  for (int i = 0; i < kRawSyncs; ++i) {
    const int64_t start = absl::GetCurrentTimeNanos();
    if (write(fd, block.data(), block.size()) != static_cast<ssize_t>(block.size()) || fdatasync(fd) != 0) {
      close(fd);
      return false;
    }
    nanos.push_back(absl::GetCurrentTimeNanos() - start);
  }
  close(fd);
  absl::PrintF("raw: write of 4096 bytes + fdatasync p50 %.3f ms, p99 %.3f ms\n", Percentile(nanos, 0.5),
               Percentile(nanos, 0.99));
  return true;
}

// Keeps a number of appends waiting: each answer sends the next one.
class Load {
 public:
  Load(EventLog& log, absl::Time end) : log_(log), end_(end) {}

  void Run(int waiting) {
    running_ = waiting;
    for (int i = 0; i < waiting; ++i) Send();
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(+[](int* running) { return *running == 0; }, &running_));
  }

  std::vector<int64_t>& nanos() { return nanos_; }
  int failed() const { return failed_; }

 private:
  void Send() {
    NewEvent event;
    // As real ids: growing with time.
    event.event_id = absl::StrFormat("%016x00000000-0123456789abcdef", next_id_++);
    event.event_name = "refunded.subscription";
    event.client_id = "605c8e9ed9d1da47dd2a4c24";
    event.refund_id = event.event_id.substr(0, 24);
    event.payment_gateway_refund_id = "rfnd_NgauHW7CMRO717";
    event.event.assign(kEventBytes, 'e');
    const int64_t start = absl::GetCurrentTimeNanos();
    log_.Append(std::move(event), [this, start](const absl::StatusOr<AppendOutcome>& outcome) {
      const int64_t now = absl::GetCurrentTimeNanos();
      nanos_.push_back(now - start);  // answers come on one thread
      if (!outcome.ok()) ++failed_;
      if (outcome.ok() && absl::FromUnixNanos(now) < end_) {
        Send();
        return;
      }
      absl::MutexLock lock(&mu_);
      --running_;
    });
  }

  EventLog& log_;
  const absl::Time end_;
  static inline std::atomic<uint64_t> next_id_ = 1;
  std::vector<int64_t> nanos_;
  int failed_ = 0;
  absl::Mutex mu_;
  int running_ = 0;
};

int Run(const std::string& dir, double seconds) {
  std::filesystem::create_directories(dir);
  if (!MeasureFdatasync(dir + "/raw")) {
    std::perror("fdatasync");
    return 1;
  }
  SqliteEventLog::Options options;
  options.data_dir = dir + "/log";
  auto log = SqliteEventLog::Open(options);
  if (!log.ok()) {
    std::fprintf(stderr, "%s\n", log.status().ToString().c_str());
    return 1;
  }
  for (const int waiting : {1, 64, 256}) {
    const absl::Time start = absl::Now();
    Load load(**log, start + absl::Seconds(seconds));
    load.Run(waiting);
    const double elapsed = absl::ToDoubleSeconds(absl::Now() - start);
    absl::PrintF("log: %3d waiting, %zu-byte events: %.0f appends/s, p50 %.3f ms, p99 %.3f ms, %d failed, wal %d MB\n",
                 waiting, kEventBytes, static_cast<double>(load.nanos().size()) / elapsed,
                 Percentile(load.nanos(), 0.5), Percentile(load.nanos(), 0.99), load.failed(),
                 static_cast<int>((*log)->Info().wal_bytes >> 20));
  }
  return 0;
}

}  // namespace
}  // namespace refund_relay

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s <empty folder> [seconds per measurement]\n", argv[0]);
    return 2;
  }
  return refund_relay::Run(argv[1], argc > 2 ? std::atof(argv[2]) : 5);
}
