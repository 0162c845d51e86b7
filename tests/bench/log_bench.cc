// Measures the embedded log: synced appends a second, their latency, and a bare fdatasync to compare them with.
//
// usage: log_bench <empty folder> [seconds per measurement]
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/log/sqlite_event_log.h"
#include "tests/bench/latencies.h"
#include "tests/bench/sync_probe.h"

namespace refund_relay::bench {
namespace {

constexpr size_t kEventBytes = 1200;
constexpr int kRawSyncs = 2000;

bool MeasureFdatasync(const std::string& path) {
  const auto probe = SyncProbe::Open(path);
  if (!probe.ok()) {
    std::fprintf(stderr, "%s\n", probe.status().ToString().c_str());
    return false;
  }
  Latencies latencies;
  for (int i = 0; i < kRawSyncs; ++i) {
    const auto nanos = (*probe)->AppendAndSync();
    if (!nanos.ok()) {
      std::fprintf(stderr, "%s\n", nanos.status().ToString().c_str());
      return false;
    }
    latencies.Add(*nanos);
  }
  absl::PrintF("raw: write of %d bytes + fdatasync p50 %.3f ms, p99 %.3f ms\n", SyncProbe::kBlockBytes,
               latencies.Percentile(0.5), latencies.Percentile(0.99));
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

  Latencies& latencies() { return latencies_; }
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
      latencies_.Add(now - start);  // answers come on one thread
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
  Latencies latencies_;
  int failed_ = 0;
  absl::Mutex mu_;
  int running_ = 0;
};

int Run(const std::string& dir, double seconds) {
  std::filesystem::create_directories(dir);
  if (!MeasureFdatasync(dir + "/raw")) return 1;
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
                 waiting, kEventBytes, static_cast<double>(load.latencies().size()) / elapsed,
                 load.latencies().Percentile(0.5), load.latencies().Percentile(0.99), load.failed(),
                 static_cast<int>((*log)->Info().wal_bytes >> 20));
  }
  return 0;
}

}  // namespace
}  // namespace refund_relay::bench

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s <empty folder> [seconds per measurement]\n", argv[0]);
    return 2;
  }
  return refund_relay::bench::Run(argv[1], argc > 2 ? std::atof(argv[2]) : 5);
}
