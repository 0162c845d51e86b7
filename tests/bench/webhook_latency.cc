// Measures one webhook at a time: how long until its answer, and how long until its event arrives at a subscriber.
// Before each webhook comes one bare synced write to the same file system, to compare with. Prints one JSON line.
#include <grpcpp/grpcpp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "client/refundctl/webhook_credentials.h"
#include "refundrelay/v1/refund_event_service.grpc.pb.h"
#include "tests/bench/http_answers.h"
#include "tests/bench/latencies.h"
#include "tests/bench/sync_probe.h"
#include "tests/bench/webhook_requests.h"

namespace refund_relay::bench {
namespace {

using refundrelay::v1::RefundEventService;
using refundrelay::v1::SubscribeRequest;
using refundrelay::v1::SubscribeResponse;

constexpr absl::Duration kPatience = absl::Seconds(10);  // for any one thing that is waited for

// A Subscribe stream from "now" on, read by a thread of its own, that notes when the last event came.
class Subscriber {
 public:
  explicit Subscriber(const std::string& address)
      : stub_(RefundEventService::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))),
        thread_([this] { Read(); }) {}
  ~Subscriber() {
    context_.TryCancel();
    thread_.join();
  }
  Subscriber(const Subscriber&) = delete;
  Subscriber& operator=(const Subscriber&) = delete;

  bool AwaitStart() {
    absl::MutexLock lock(&mu_);
    return mu_.AwaitWithTimeout(absl::Condition(&started_), kPatience);
  }

  // When the event of the refund arrived, in nanoseconds; 0 if it did not.
  int64_t AwaitEvent(std::string_view refund_id) {
    absl::MutexLock lock(&mu_);
    awaited_ = std::string(refund_id);
    const auto arrived = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return last_refund_id_ == awaited_; };
    return mu_.AwaitWithTimeout(absl::Condition(&arrived), kPatience) ? arrived_at_ : 0;
  }

 private:
  void Read() {
    SubscribeRequest request;
    request.set_subscriber_name("bench");
    request.set_start_from(refundrelay::v1::START_FROM_LATEST);
    const auto stream = stub_->Subscribe(&context_, request);
    SubscribeResponse response;
    while (stream->Read(&response)) {
      const int64_t now = absl::GetCurrentTimeNanos();
      absl::MutexLock lock(&mu_);
      if (response.has_started()) started_ = true;
      for (const auto& delivery : response.batch().deliveries()) {
        last_refund_id_ = delivery.event().refund().id();
        arrived_at_ = now;
      }
    }
    const grpc::Status status = stream->Finish();
    if (status.error_code() != grpc::StatusCode::CANCELLED) {
      absl::FPrintF(stderr, "the stream ended: %s\n", status.error_message());
    }
  }

  const std::unique_ptr<RefundEventService::Stub> stub_;
  grpc::ClientContext context_;
  absl::Mutex mu_;
  bool started_ ABSL_GUARDED_BY(mu_) = false;
  std::string awaited_ ABSL_GUARDED_BY(mu_);
  std::string last_refund_id_ ABSL_GUARDED_BY(mu_);
  int64_t arrived_at_ ABSL_GUARDED_BY(mu_) = 0;
  std::thread thread_;
};

struct Options {
  std::string http_address;
  std::string grpc_address;
  std::string secret_file;
  std::string sync_file;
  int webhooks = 200;
  int pause_ms = 5;
};

absl::Status Measure(const Options& options) {
  const auto secret = ReadFirstSecret(options.secret_file);
  if (!secret.ok()) return secret.status();
  const auto probe = SyncProbe::Open(options.sync_file);
  if (!probe.ok()) return probe.status();
  Subscriber subscriber(options.grpc_address);
  if (!subscriber.AwaitStart()) return absl::UnavailableError("the stream did not start at " + options.grpc_address);
  const int fd = ConnectTo(options.http_address);
  if (fd < 0) return absl::ErrnoToStatus(errno, "connect to " + options.http_address);
  const timeval patience = absl::ToTimeval(kPatience);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  WebhookRequests requests(options.http_address, "/webhooks/refund", secret->view());
  HttpAnswers answers;
  Latencies sync, answer, delivery;
  const absl::Duration pause = absl::Milliseconds(options.pause_ms);
  for (int i = 0; i < options.webhooks; ++i) {
    absl::SleepFor(pause);
    const auto sync_nanos = (*probe)->AppendAndSync();
    if (!sync_nanos.ok()) return sync_nanos.status();
    sync.Add(*sync_nanos);

    absl::SleepFor(pause);
    const std::string_view request = requests.Next();
    const int64_t start = absl::GetCurrentTimeNanos();
    if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
      return absl::ErrnoToStatus(errno, "send a webhook");
    }
    auto outcome = answers.ReadFrom(fd);
    while (outcome == HttpAnswers::Outcome::kMore &&
           absl::Nanoseconds(absl::GetCurrentTimeNanos() - start) < kPatience) {
      outcome = answers.ReadFrom(fd);
    }
    const int64_t answered = absl::GetCurrentTimeNanos();
    if (outcome != HttpAnswers::Outcome::kAnswer || !answers.answer().accepted()) {
      return absl::InternalError("a webhook was not accepted: " + std::string(answers.answer().head));
    }
    const int64_t arrived = subscriber.AwaitEvent(requests.refund_id());
    if (arrived == 0) return absl::DeadlineExceededError("an event that was accepted did not arrive");
    answer.Add(answered - start);
    delivery.Add(arrived - start);
  }
  close(fd);
  absl::PrintF(
      "{\"webhooks\":%d,\"answer_p50_ms\":%.3f,\"answer_p99_ms\":%.3f,\"delivery_p50_ms\":%.3f,"
      "\"delivery_p99_ms\":%.3f,\"fdatasync_p50_ms\":%.3f,\"fdatasync_p99_ms\":%.3f}\n",
      delivery.size(), answer.Percentile(0.5), answer.Percentile(0.99), delivery.Percentile(0.5),
      delivery.Percentile(0.99), sync.Percentile(0.5), sync.Percentile(0.99));
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Sends webhooks one at a time and measures until the answer and until a subscriber has the event.");
  app.add_option("--http-address", options.http_address, "IPv4 address and port for webhooks")->required();
  app.add_option("--grpc-address", options.grpc_address, "Address and port for the subscriber")->required();
  app.add_option("--secret-file", options.secret_file, "File with the webhook secret")->required();
  app.add_option("--sync-file", options.sync_file, "File for the bare synced writes; it is removed")->required();
  app.add_option("--webhooks", options.webhooks, "How many")->check(CLI::Range(1, 100000))->capture_default_str();
  app.add_option("--pause-ms", options.pause_ms, "Pause before each webhook and before each bare write")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (const absl::Status status = Measure(options); !status.ok()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace refund_relay::bench

int main(int argc, char** argv) { return refund_relay::bench::Main(argc, argv); }
