// Runs a program for a test: its output, and its exit code.
#ifndef REFUND_RELAY_TESTS_UNIT_CLIENT_CHILD_PROCESS_H_
#define REFUND_RELAY_TESTS_UNIT_CLIENT_CHILD_PROCESS_H_

#include <sys/types.h>

#include <cstdio>
#include <string>
#include <vector>

namespace refund_relay {

// Stdin is empty. Used by one thread.
class ChildProcess {
 public:
  // Starts `program` with `arguments`; `environment` holds NAME=value and is all that it gets, but for sanitizer
  // options.
  ChildProcess(const std::string& program, const std::vector<std::string>& arguments,
               const std::vector<std::string>& environment = {});
  // Kills it if it still runs.
  ~ChildProcess();

  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Waits for the next line of stdout; without its line break, empty at the end.
  std::string ReadLine();

  void CloseStdout();
  void Signal(int signal) const;

  // Reads stdout to its end and waits for the process. The exit code, or minus the signal that killed it.
  int Wait();

  // After Wait: what ReadLine did not take, and all of stderr.
  const std::string& out() const { return out_; }
  const std::string& err() const { return err_; }

 private:
  pid_t pid_ = -1;
  std::FILE* stdout_ = nullptr;
  std::FILE* stderr_file_ = nullptr;
  std::string out_;
  std::string err_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_TESTS_UNIT_CLIENT_CHILD_PROCESS_H_
