#include "tests/unit/client/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

namespace refund_relay {
namespace {

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (auto& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

ChildProcess::ChildProcess(const std::string& program, const std::vector<std::string>& arguments,
                           const std::vector<std::string>& environment) {
  int pipe_ends[2];
  stderr_file_ = std::tmpfile();
  if (stderr_file_ == nullptr || pipe2(pipe_ends, O_CLOEXEC) != 0) throw std::runtime_error("no file or pipe");
  std::vector<std::string> argv_strings = {program};
  argv_strings.insert(argv_strings.end(), arguments.begin(), arguments.end());
  std::vector<std::string> env_strings = environment;
  for (const std::string name : {"ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name.c_str()); value != nullptr) env_strings.push_back(name + "=" + value);
  }
  auto argv = Pointers(argv_strings);
  auto env = Pointers(env_strings);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, fileno(stderr_file_), 2);
  const int error = posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), env.data());
  posix_spawn_file_actions_destroy(&actions);
  close(pipe_ends[1]);
  stdout_ = fdopen(pipe_ends[0], "r");
  if (error != 0) throw std::runtime_error(program + " does not start");
}

ChildProcess::~ChildProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  CloseStdout();
  std::fclose(stderr_file_);
}

std::string ChildProcess::ReadLine() {
  std::string line;
  for (int c = std::fgetc(stdout_); c != EOF && c != '\n'; c = std::fgetc(stdout_)) line += static_cast<char>(c);
  return line;
}

void ChildProcess::CloseStdout() {
  if (stdout_ != nullptr) std::fclose(stdout_);
  stdout_ = nullptr;
}

void ChildProcess::Signal(int signal) const { kill(pid_, signal); }

int ChildProcess::Wait() {
  if (stdout_ != nullptr) {
    for (int c = std::fgetc(stdout_); c != EOF; c = std::fgetc(stdout_)) out_ += static_cast<char>(c);
  }
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  if (std::fseek(stderr_file_, 0, SEEK_SET) != 0) throw std::runtime_error("no way back to the start of stderr");
  for (int c = std::fgetc(stderr_file_); c != EOF; c = std::fgetc(stderr_file_)) err_ += static_cast<char>(c);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace refund_relay
