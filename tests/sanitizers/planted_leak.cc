// A leak on purpose: LeakSanitizer must report it.
#include <cstdio>

int main() {
  int* volatile lost = new int(7);
  std::printf("%d\n", *lost);
  lost = nullptr;
  return 0;  // NOLINT(clang-analyzer-*): the fault that is planted
}
