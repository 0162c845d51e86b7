// RandomLives: how a log lives and dies in a power-cut test, from a seed.
#ifndef REFUND_RELAY_TESTS_TESTING_RANDOM_LIVES_H_
#define REFUND_RELAY_TESTS_TESTING_RANDOM_LIVES_H_

#include <cstdint>
#include <cstdlib>
#include <random>

#include "absl/functional/function_ref.h"
#include "tests/testing/power_cut_vfs.h"

namespace refund_relay {

// `rounds`, or `long_rounds` with REFUND_RELAY_LONG=1, which `./dev test --long` sets.
inline int RoundsOf(int rounds, int long_rounds) {
  const char* const asked = std::getenv("REFUND_RELAY_LONG");
  return asked != nullptr && *asked != '\0' ? long_rounds : rounds;
}

// The lives of one log, one after the other: each may die at some sync, while it opens or later, or be killed at its
// end, and after some the power goes too, and the disk keeps a random part of what was not synced.
class RandomLives {
 public:
  // `vfs` must outlive this.
  RandomLives(PowerCutVfs& vfs, int seed) : vfs_(vfs), random_(static_cast<uint32_t>(seed)) {}

  // From 0 to n - 1.
  int Below(int n) { return static_cast<int>(random_() % static_cast<uint32_t>(n)); }

  // A life begins that dies at one of its first `syncs` syncs of the write-ahead log, or, in two of `syncs` + 2 lives,
  // at none of them.
  void Begin(int syncs) {
    const int dies_at = Below(syncs + 2);
    if (dies_at < syncs) vfs_.KillAtWalSync(dies_at);
  }

  // It ends; `close` closes the log, which is an orderly stop if it lives still. Returns whether it had died.
  bool End(absl::FunctionRef<void()> close) {
    const bool died = vfs_.killed();
    if (Below(4) != 0) vfs_.Kill();
    close();
    if (Below(2) == 0) {
      const int keep_percent = Below(3) * 50;
      vfs_.CutPower([&] { return Below(100) < keep_percent; });
    }
    vfs_.Revive();
    return died;
  }

 private:
  PowerCutVfs& vfs_;
  std::mt19937 random_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_TESTS_TESTING_RANDOM_LIVES_H_
