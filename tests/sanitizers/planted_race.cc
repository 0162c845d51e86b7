// A race on purpose: ThreadSanitizer must report it in spite of tests/tsan.supp, or its silence means nothing.
//
// Shaped as a race of the server's would be: two threads of ours drain gRPC completion queues and touch one variable
// without a lock, with gRPC's own (uninstrumented, suppressed) code in the picture.
#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>

#include <chrono>
#include <cstdio>
#include <thread>

namespace {

constexpr int kTouches = 100'000;  // enough for both threads to be at it at once
volatile int unguarded = 0;

void DrainAndCount(grpc::CompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) {
    for (int i = 0; i < kTouches; ++i) unguarded = unguarded + 1;
  }
}

}  // namespace

int main() {
  grpc::CompletionQueue queues[2];
  grpc::Alarm alarms[2];
  for (int i = 0; i < 2; ++i) alarms[i].Set(&queues[i], std::chrono::system_clock::now(), nullptr);
  std::thread first([&] { DrainAndCount(queues[0]); });
  std::thread second([&] { DrainAndCount(queues[1]); });
  for (grpc::CompletionQueue& queue : queues) queue.Shutdown();
  first.join();
  second.join();
  std::printf("counted %d\n", unguarded);
  return 0;
}
