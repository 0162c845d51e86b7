// A signed overflow on purpose: UndefinedBehaviorSanitizer must report it.
#include <cstdio>
#include <limits>

int main() {
  volatile int most = std::numeric_limits<int>::max();
  std::printf("%d\n", most + 1);
  return 0;
}
