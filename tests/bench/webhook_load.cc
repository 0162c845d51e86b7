// Loads an HTTP server with signed webhooks: one thread, a number of connections, one request in flight on each.
// Prints one JSON line; see --help. Exit code 1: some answers were not what was expected.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client/refundctl/webhook_credentials.h"
#include "tests/bench/http_answers.h"
#include "tests/bench/latencies.h"
#include "tests/bench/webhook_requests.h"

namespace refund_relay::bench {
namespace {

constexpr int64_t kLastAnswersNanos = 10'000'000'000;  // how long the answers in flight at the end may take
constexpr uint64_t kPrintedErrors = 5;

struct Options {
  std::string address;
  std::string path = "/webhooks/refund";
  std::string secret_file;
  int connections = 64;
  double seconds = 5;
  bool any_200 = false;
};

class Load {
 public:
  Load(const Options& options, const std::string& secret)
      : options_(options),
        requests_(options.address, options.path, secret),
        connections_(static_cast<size_t>(options.connections)) {}
  ~Load() {
    for (Connection& connection : connections_) Drop(connection);
    if (epoll_ >= 0) close(epoll_);
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  bool Connect() {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    for (Connection& connection : connections_) {
      connection.fd = ConnectTo(options_.address);
      epoll_event event{.events = EPOLLIN, .data = {.ptr = &connection}};
      if (connection.fd < 0 || fcntl(connection.fd, F_SETFL, O_NONBLOCK) != 0 ||
          epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event) != 0) {
        absl::FPrintF(stderr, "cannot connect to %s: %s\n", options_.address, std::strerror(errno));
        return false;
      }
    }
    return true;
  }

  // Sends until the time is over, then takes the answers that are still on their way.
  void Run() {
    start_ = now_ = absl::GetCurrentTimeNanos();
    const int64_t end = start_ + static_cast<int64_t>(options_.seconds * 1e9);
    for (Connection& connection : connections_) Send(connection);
    std::array<epoll_event, 256> ready;
    while (in_flight_ > 0 && now_ < end + kLastAnswersNanos) {
      const int count = epoll_wait(epoll_, ready.data(), ready.size(), 100);
      now_ = absl::GetCurrentTimeNanos();
      for (int i = 0; i < count; ++i) {
        Connection& connection = *static_cast<Connection*>(ready[static_cast<size_t>(i)].data.ptr);
        if (Take(connection) && now_ < end) Send(connection);
      }
    }
    for (; in_flight_ > 0; --in_flight_) Error("no answer", "");
  }

  // Whether every answer was as expected.
  bool Report() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const double seconds = static_cast<double>(now_ - start_) / 1e9;
    const auto cpu = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    absl::PrintF(
        "{\"requests\":%d,\"seconds\":%.3f,\"per_second\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"errors\":%d,"
        "\"generator_cpu_seconds\":%.3f}\n",
        latencies_.size(), seconds, static_cast<double>(latencies_.size()) / seconds, latencies_.Percentile(0.5),
        latencies_.Percentile(0.99), errors_, cpu(usage.ru_utime) + cpu(usage.ru_stime));
    return errors_ == 0;
  }

 private:
  struct Connection {
    int fd = -1;
    int64_t sent_at = 0;
    HttpAnswers answers;
  };

  void Send(Connection& connection) {
    const std::string_view request = requests_.Next();
    connection.sent_at = absl::GetCurrentTimeNanos();
    // The last request was answered, so that the socket's buffer is empty and takes this one whole.
    const ssize_t sent = send(connection.fd, request.data(), request.size(), MSG_NOSIGNAL);
    if (sent == static_cast<ssize_t>(request.size())) {
      ++in_flight_;
    } else {
      Error("cannot send", sent < 0 ? std::strerror(errno) : "the socket did not take the whole request");
      Drop(connection);
    }
  }

  // Whether the connection can take another request.
  bool Take(Connection& connection) {
    const auto outcome = connection.answers.ReadFrom(connection.fd);
    if (outcome == HttpAnswers::Outcome::kMore) return false;
    --in_flight_;
    if (outcome == HttpAnswers::Outcome::kBroken) {
      Error("connection ended", "");
      Drop(connection);
      return false;
    }
    const HttpAnswer& answer = connection.answers.answer();
    if (options_.any_200 ? answer.ok() : answer.accepted()) {
      latencies_.Add(absl::GetCurrentTimeNanos() - connection.sent_at);
    } else {
      Error(answer.head, answer.body);
    }
    return true;
  }

  void Drop(Connection& connection) {
    if (connection.fd >= 0) close(connection.fd);
    connection.fd = -1;
  }

  void Error(std::string_view what, std::string_view detail) {
    if (++errors_ <= kPrintedErrors) {
      std::fprintf(stderr, "error: %.*s %.*s\n", static_cast<int>(what.size()), what.data(),
                   static_cast<int>(detail.size()), detail.data());
    }
  }

  const Options options_;
  WebhookRequests requests_;
  std::vector<Connection> connections_;
  int epoll_ = -1;
  int64_t start_ = 0;
  int64_t now_ = 0;
  int in_flight_ = 0;
  uint64_t errors_ = 0;
  Latencies latencies_;
};

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Loads an HTTP server with signed webhooks, each of a new refund, and prints one JSON line.");
  app.add_option("--address", options.address, "IPv4 address and port")->required();
  app.add_option("--path", options.path, "Path of the requests")->capture_default_str();
  app.add_option("--secret-file", options.secret_file, "File with the webhook secret")->required();
  app.add_option("--connections", options.connections, "Connections, one request in flight on each")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "How long to send")
      ->check(CLI::Range(0.1, 600.0))
      ->capture_default_str();
  app.add_flag("--any-200", options.any_200, "Expect 200 with any body instead of the status `accepted`");
  CLI11_PARSE(app, argc, argv);

  const auto secret = ReadFirstSecret(options.secret_file);
  if (!secret.ok()) {
    std::fprintf(stderr, "%s\n", secret.status().ToString().c_str());
    return 2;
  }
  Load load(options, std::string(secret->view()));
  if (!load.Connect()) return 2;
  load.Run();
  return load.Report() ? 0 : 1;
}

}  // namespace
}  // namespace refund_relay::bench

int main(int argc, char** argv) { return refund_relay::bench::Main(argc, argv); }
