// Latencies of one measurement, and their percentiles.
#ifndef REFUND_RELAY_TESTS_BENCH_LATENCIES_H_
#define REFUND_RELAY_TESTS_BENCH_LATENCIES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace refund_relay::bench {

// Not thread-safe.
class Latencies {
 public:
  void Add(int64_t nanos) { nanos_.push_back(nanos); }
  size_t size() const { return nanos_.size(); }

  // In milliseconds; `p` is 0..1. 0 when there are none.
  double Percentile(double p) {
    if (nanos_.empty()) return 0;
    const auto nth = nanos_.begin() + static_cast<std::ptrdiff_t>(p * static_cast<double>(nanos_.size() - 1));
    std::nth_element(nanos_.begin(), nth, nanos_.end());
    return static_cast<double>(*nth) / 1e6;
  }

 private:
  std::vector<int64_t> nanos_;
};

}  // namespace refund_relay::bench

#endif  // REFUND_RELAY_TESTS_BENCH_LATENCIES_H_
