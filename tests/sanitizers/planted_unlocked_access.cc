// A race on purpose: one of two threads forgets the absl::Mutex. ThreadSanitizer must report it, and with an argument,
// which makes both remember, it must not: absl_mutex_tsan.cc lets it see the mutex, no more and no less.
#include <cstdio>
#include <thread>

#include "absl/synchronization/mutex.h"

namespace {

constexpr int kTouches = 100'000;  // enough for both threads to be at it at once

struct Counter {
  absl::Mutex mutex;
  volatile int count = 0;
};

void CountLocked(Counter& counter) {
  for (int i = 0; i < kTouches; ++i) {
    absl::MutexLock lock(&counter.mutex);
    counter.count = counter.count + 1;
  }
}

void CountUnlocked(Counter& counter) {
  for (int i = 0; i < kTouches; ++i) counter.count = counter.count + 1;
}

}  // namespace

int main(int argc, char**) {
  Counter counter;
  std::thread first([&] { CountLocked(counter); });
  std::thread second([&] { argc > 1 ? CountLocked(counter) : CountUnlocked(counter); });
  {
    // A third, which waits: Await gives the mutex up and takes it again.
    absl::MutexLock lock(&counter.mutex);
    counter.mutex.Await(absl::Condition(+[](Counter* c) { return c->count > 0; }, &counter));
    counter.count = counter.count + 1;
  }
  first.join();
  second.join();
  std::printf("counted %d\n", counter.count);
  return 0;
}
