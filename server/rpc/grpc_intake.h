// GrpcIntake: gives accepted sockets to gRPC, on a thread of its own.
#ifndef REFUND_RELAY_SERVER_RPC_GRPC_INTAKE_H_
#define REFUND_RELAY_SERVER_RPC_GRPC_INTAKE_H_

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/ops/file_descriptor.h"

namespace refund_relay {

// The thread that gives a connection to gRPC 1.51 works for it as long as input waits: a peer that sends faster than
// gRPC parses keeps it. So it must not be the thread that accepts and cuts. What arrives in the usual amounts is left
// to gRPC's own threads: until the call has returned, the kernel tells them of no input below kQuietBytes
// (SO_RCVLOWAT). Who sends more than that at once and goes on must be cut; current() tells which connection it is.
//
// Thread-safe; only Stop and the destructor block.
class GrpcIntake {
 public:
  // No more than half of the usual receive buffer, or the kernel would enlarge it.
  static constexpr int kQuietBytes = 64 << 10;

  struct Current {
    uint64_t connection;
    std::chrono::steady_clock::time_point since;
  };

  // `take` becomes the owner of a connected, non-blocking socket; called on the thread, one socket after the other.
  explicit GrpcIntake(std::function<void(int socket)> take);
  // Stops.
  ~GrpcIntake();
  GrpcIntake(const GrpcIntake&) = delete;
  GrpcIntake& operator=(const GrpcIntake&) = delete;

  // `connection` is the caller's number for it. After Close it is closed.
  void Give(uint64_t connection, FileDescriptor socket) ABSL_LOCKS_EXCLUDED(mutex_);

  // The connection that is being given to gRPC, if any.
  std::optional<Current> current() ABSL_LOCKS_EXCLUDED(mutex_);

  // Takes no more, and closes those that wait. What is current then may keep the thread until its input ends.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

  // Closes and joins. Safe to call twice.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Waiting {
    uint64_t connection;
    FileDescriptor socket;
  };

  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  void Take(FileDescriptor socket);
  bool SomethingToDo() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return closed_ || !waiting_.empty(); }

  const std::function<void(int)> take_;
  absl::Mutex mutex_;
  std::deque<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  std::optional<Current> current_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_GRPC_INTAKE_H_
