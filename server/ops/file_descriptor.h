// FileDescriptor: owns a descriptor and closes it.
#ifndef REFUND_RELAY_SERVER_OPS_FILE_DESCRIPTOR_H_
#define REFUND_RELAY_SERVER_OPS_FILE_DESCRIPTOR_H_

#include <unistd.h>

#include <utility>

namespace refund_relay {

// Of a file, socket or anything else; -1 = none. Not thread-safe.
class FileDescriptor {
 public:
  explicit FileDescriptor(int number = -1) : number_(number) {}
  ~FileDescriptor() {
    if (valid()) close(number_);
  }
  FileDescriptor(FileDescriptor&& other) noexcept : number_(other.Release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }

  int number() const { return number_; }
  bool valid() const { return number_ >= 0; }
  // It is the caller's now.
  int Release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_FILE_DESCRIPTOR_H_
