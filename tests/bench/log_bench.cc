// Measures the embedded log: synced appends a second, their latency, and a bare fdatasync to compare them with.
//
// usage: log_bench <empty folder> [seconds per measurement]
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/log/sqlite_event_log.h"
#include "tests/bench/append_load.h"
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

NewEvent NextEvent() {
  static uint64_t next_id = 1;
  NewEvent event;
  // As real ids: growing with time.
  event.event_id = absl::StrFormat("%016x00000000-0123456789abcdef", next_id++);
  event.event_name = "refunded.subscription";
  event.client_id = "605c8e9ed9d1da47dd2a4c24";
  event.refund_id = event.event_id.substr(0, 24);
  event.payment_gateway_refund_id = "rfnd_NgauHW7CMRO717";
  event.event.assign(kEventBytes, 'e');
  return event;
}

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
    AppendLoad load(**log, NextEvent, absl::Now() + absl::Seconds(seconds));
    load.Run(waiting);
    absl::PrintF("log: %3d waiting, %zu-byte events: %.0f appends/s, p50 %.3f ms, p99 %.3f ms, %d failed, wal %d MB\n",
                 waiting, kEventBytes, load.per_second(), load.latencies().Percentile(0.5),
                 load.latencies().Percentile(0.99), load.failed(), static_cast<int>((*log)->Info().wal_bytes >> 20));
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
