// A use after free on purpose: AddressSanitizer must report it.
#include <cstdio>
#include <memory>

int main() {
  auto owner = std::make_unique<int>(7);
  const volatile int* dangling = owner.get();
  owner.reset();
  std::printf("%d\n", *dangling);  // NOLINT(clang-analyzer-*): the fault that is planted
  return 0;
}
