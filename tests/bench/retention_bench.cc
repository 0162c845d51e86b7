// Measures what the look-up by refund and retention cost appends, and how long a look-up takes. Rounds alternate, and
// ratios are taken pair by pair.
//
// usage: retention_bench <empty folder> [rounds] [seconds of a round] [events for the look-ups]
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/log/retention.h"
#include "server/log/sqlite_event_log.h"
#include "tests/bench/append_load.h"
#include "tests/bench/latencies.h"

namespace refund_relay::bench {
namespace {

constexpr size_t kEventBytes = 1200;
constexpr int kLookUps = 2000;
constexpr int kWaiting = 64;

std::string GatewayId(uint64_t number) {
  // In no order, as a gateway's are.
  return absl::StrFormat("rfnd_%016x", number * 0x9e3779b97f4a7c15);
}

// An event with ids, or one of the same size whose ids have moved into its bytes and so are not indexed.
NewEvent MakeEvent(uint64_t number, bool with_ids) {
  NewEvent event;
  event.event_id = absl::StrFormat("%024x-0123456789abcdef", number);
  event.event_name = "refunded.subscription";
  event.client_id = "605c8e9ed9d1da47dd2a4c24";
  event.refund_id = event.event_id.substr(0, 24);
  event.payment_gateway_refund_id = GatewayId(number);
  event.event.assign(kEventBytes, 'e');
  if (!with_ids) {
    event.event += event.refund_id + event.payment_gateway_refund_id;
    event.refund_id.clear();
    event.payment_gateway_refund_id.clear();
  }
  return event;
}

class BenchLog {
 public:
  explicit BenchLog(const std::string& folder, bool with_ids = true) : with_ids_(with_ids) {
    SqliteEventLog::Options options;
    options.data_dir = folder;
    auto log = SqliteEventLog::Open(options);
    if (!log.ok()) {
      std::fprintf(stderr, "%s\n", log.status().ToString().c_str());
      std::exit(1);
    }
    log_ = *std::move(log);
  }

  SqliteEventLog& log() { return *log_; }
  uint64_t events() const { return next_ - 1; }

  std::unique_ptr<AppendLoad> Run(int waiting, double seconds, uint64_t most = ~uint64_t{0}) {
    auto load = std::make_unique<AppendLoad>(
        *log_, [this] { return MakeEvent(next_++, with_ids_); }, absl::Now() + absl::Seconds(seconds), most);
    load->Run(waiting);
    if (load->failed() > 0) {
      std::fprintf(stderr, "%d appends failed\n", load->failed());
      std::exit(1);
    }
    return load;
  }

 private:
  const bool with_ids_;
  std::unique_ptr<SqliteEventLog> log_;
  uint64_t next_ = 1;
};

void PrintSpread(const std::string& what, std::vector<double> values) {
  std::sort(values.begin(), values.end());
  absl::PrintF("%-58s min %10.3f  median %10.3f  max %10.3f\n", what, values.front(), values[values.size() / 2],
               values.back());
}

void MeasureIndex(const std::string& dir, int rounds, double seconds) {
  BenchLog with(dir + "/with", true);
  BenchLog without(dir + "/without", false);
  std::vector<double> ratios, with_rate, without_rate;
  for (int round = -1; round < rounds; ++round) {
    const auto a = without.Run(kWaiting, seconds);
    const auto b = with.Run(kWaiting, seconds);
    if (round < 0) continue;  // thrown away
    without_rate.push_back(a->per_second());
    with_rate.push_back(b->per_second());
    ratios.push_back(b->per_second() / a->per_second());
  }
  PrintSpread("appends/s without ids to index", without_rate);
  PrintSpread("appends/s with two ids an event", with_rate);
  PrintSpread("with : without", ratios);
}

void MeasureLookUps(BenchLog& log) {
  std::mt19937_64 random(1);
  for (const RefundIdKind which : {RefundIdKind::kRefundId, RefundIdKind::kPaymentGatewayRefundId}) {
    for (const bool known : {true, false}) {
      Latencies latencies;
      for (int i = 0; i < kLookUps; ++i) {
        const uint64_t number = known ? 1 + random() % log.events() : log.events() + 1 + random() % 1000;
        const NewEvent event = MakeEvent(number, true);
        int found = 0;
        const int64_t start = absl::GetCurrentTimeNanos();
        const auto through = log.log().FindByRefund(
            which, which == RefundIdKind::kRefundId ? event.refund_id : event.payment_gateway_refund_id, {}, {},
            [&](const StoredEvent&) { ++found; });
        latencies.Add(absl::GetCurrentTimeNanos() - start);
        if (!through.ok() || through->sequence != log.events() || found != (known ? 1 : 0)) {
          std::fprintf(stderr, "a look-up went wrong: %s\n", through.status().ToString().c_str());
          std::exit(1);
        }
      }
      absl::PrintF("look-up of %s %s among %d events: p50 %.3f ms, p99 %.3f ms\n", known ? "a known" : "an unknown",
                   which == RefundIdKind::kRefundId ? "refund_id" : "payment_gateway_refund_id", log.events(),
                   latencies.Percentile(0.5), latencies.Percentile(0.99));
    }
  }
}

void MeasureRetention(BenchLog& log, int rounds, double seconds) {
  for (const int waiting : {1, kWaiting}) {
    std::vector<double> p50_ratios, p99_ratios, rate_ratios, p50, p99, p50_with, p99_with, trimmed_rate;
    for (int round = -1; round < rounds; ++round) {
      const auto quiet = log.Run(waiting, seconds);
      uint64_t trimmed = 0;
      Retention::Options options;
      options.age = absl::ZeroDuration();
      options.max_bytes = 1;  // there is always something to delete
      options.trimmed = [&trimmed](absl::Span<const TrimmedEvent> events) { trimmed += events.size(); };
      Retention retention(log.log(), options);
      retention.Start();
      const auto busy = log.Run(waiting, seconds);
      retention.Stop();
      if (round < 0) continue;
      rate_ratios.push_back(busy->per_second() / quiet->per_second());
      p50.push_back(quiet->latencies().Percentile(0.5));
      p99.push_back(quiet->latencies().Percentile(0.99));
      p50_with.push_back(busy->latencies().Percentile(0.5));
      p99_with.push_back(busy->latencies().Percentile(0.99));
      p50_ratios.push_back(p50_with.back() / p50.back());
      p99_ratios.push_back(p99_with.back() / p99.back());
      trimmed_rate.push_back(static_cast<double>(trimmed) / seconds);
    }
    const std::string at = absl::StrCat(waiting, " waiting: ");
    PrintSpread(at + "events deleted/s meanwhile", trimmed_rate);
    PrintSpread(at + "append p50 ms, nothing deleted", p50);
    PrintSpread(at + "append p50 ms, while deleting", p50_with);
    PrintSpread(at + "append p50, while deleting : not", p50_ratios);
    PrintSpread(at + "append p99 ms, nothing deleted", p99);
    PrintSpread(at + "append p99 ms, while deleting", p99_with);
    PrintSpread(at + "append p99, while deleting : not", p99_ratios);
    PrintSpread(at + "appends/s, while deleting : not", rate_ratios);
  }
}

int Run(const std::string& dir, int rounds, double seconds, uint64_t events) {
  std::filesystem::create_directories(dir);
  MeasureIndex(dir, rounds, seconds);
  BenchLog log(dir + "/large");
  log.Run(256, 3600, events);
  MeasureLookUps(log);
  MeasureRetention(log, rounds, seconds);
  return 0;
}

}  // namespace
}  // namespace refund_relay::bench

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s <empty folder> [rounds] [seconds of a round] [events for the look-ups]\n", argv[0]);
    return 2;
  }
  return refund_relay::bench::Run(argv[1], argc > 2 ? std::atoi(argv[2]) : 5, argc > 3 ? std::atof(argv[3]) : 2,
                                  argc > 4 ? std::strtoull(argv[4], nullptr, 10) : 1'000'000);
}
