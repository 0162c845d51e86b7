#include "server/rpc/grpc_intake.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <utility>

namespace refund_relay {
namespace {

// How many bytes must wait until the kernel tells of them; at once, if they do. Best effort.
void TellFromBytes(const FileDescriptor& socket, int bytes) {
  setsockopt(socket.number(), SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes));
}

}  // namespace

GrpcIntake::GrpcIntake(std::function<void(int)> take) : take_(std::move(take)), thread_([this] { Run(); }) {}

GrpcIntake::~GrpcIntake() { Stop(); }

void GrpcIntake::Give(uint64_t connection, FileDescriptor socket) {
  absl::MutexLock lock(&mutex_);
  if (!closed_) waiting_.push_back({connection, std::move(socket)});
}

std::optional<GrpcIntake::Current> GrpcIntake::current() {
  absl::MutexLock lock(&mutex_);
  return current_;
}

void GrpcIntake::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  waiting_.clear();
}

void GrpcIntake::Stop() {
  Close();
  if (thread_.joinable()) thread_.join();
}

void GrpcIntake::Run() {
  while (true) {
    FileDescriptor socket;
    {
      absl::MutexLock lock(&mutex_);
      current_.reset();
      mutex_.Await(absl::Condition(this, &GrpcIntake::SomethingToDo));
      if (closed_) return;
      current_ = Current{waiting_.front().connection, std::chrono::steady_clock::now()};
      socket = std::move(waiting_.front().socket);
      waiting_.pop_front();
    }
    Take(std::move(socket));
  }
}

void GrpcIntake::Take(FileDescriptor socket) {
  // gRPC may close its own before the call returns.
  const FileDescriptor duplicate(fcntl(socket.number(), F_DUPFD_CLOEXEC, 0));
  if (duplicate.valid()) TellFromBytes(duplicate, kQuietBytes);
  take_(socket.Release());
  if (duplicate.valid()) TellFromBytes(duplicate, 1);
}

}  // namespace refund_relay
