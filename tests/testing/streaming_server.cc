#include "tests/testing/streaming_server.h"

#include <grpcpp/create_channel.h>

#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "server/rpc/position_check.h"
#include "tests/testing/test_events.h"

namespace refund_relay {
namespace {

// Nothing here takes near as long: a stream that gives nothing for this long has hung.
constexpr std::chrono::seconds kHung{60};

Storage OrInMemory(std::optional<Storage> storage) {
  if (storage.has_value()) return *std::move(storage);
  StorageOptions options;
  options.log = "memory";
  absl::StatusOr<Storage> opened = OpenStorage(options);
  EXPECT_TRUE(opened.ok()) << opened.status();
  return *std::move(opened);
}

}  // namespace

StreamingServer::StreamingServer(Options options)
    : storage_(OrInMemory(std::move(options.storage))),
      fan_out_(options.fan_out),
      metrics_(registry_, fan_out_, streams_, Clock::System()),
      access_(registry_, options.service_accounts),
      history_(*storage_.log, options.history_threads) {
  if (!options.access_policy.empty()) {
    const absl::Status status = access_.Update("policy.json", options.access_policy);
    EXPECT_TRUE(status.ok()) << status;
  }
  for (NewEvent& event : options.stored) AppendOrFail(*storage_.log, std::move(event));
  fan_out_.Start(*storage_.log);
  metrics_.LogOpened(*storage_.log, history_, *storage_.positions);
  options.grpc.address = {"127.0.0.1", 0};
  options.grpc.server_instance = "test-instance";
  options.grpc.server_version = "test-version";
  auto server =
      GrpcServer::Start(options.grpc, {*storage_.log, *storage_.positions, *storage_.quarantine, fan_out_, history_,
                                       promotions_, streams_, metrics_, access_, Clock::System(), options.parse});
  EXPECT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
}

Storage StreamingServer::StopAndTakeStorage() {
  server_->Stop(absl::Now());
  history_.Stop();
  return std::exchange(storage_, {});
}

StreamingServer::~StreamingServer() {
  if (storage_.log == nullptr) return;
  const Storage storage = StopAndTakeStorage();
  const absl::Status closed = storage.log->Close(absl::Now() + absl::Seconds(10));
  EXPECT_TRUE(closed.ok()) << closed;
}

void StreamingServer::ChangePolicy(const std::string& json) {
  const absl::Status status = access_.Update("policy.json", json);
  EXPECT_TRUE(status.ok()) << status;
  server_->PolicyChanged();
}

void StreamingServer::CommitAndWait(const std::string& subscriber_name, uint64_t sequence,
                                    const refundrelay::v1::EventFilter& filter) const {
  const absl::StatusOr<LogPosition> position = storage_.log->PositionAt(sequence);
  EXPECT_TRUE(position.ok()) << position.status();
  absl::Notification answered;
  absl::StatusOr<uint64_t> version;
  storage_.positions->Commit({subscriber_name, *position, filter.SerializeAsString(), std::nullopt},
                             [&](absl::StatusOr<uint64_t> result) {
                               version = std::move(result);
                               answered.Notify();
                             });
  answered.WaitForNotification();
  EXPECT_TRUE(version.ok()) << version.status();
}

void StreamingServer::AwaitOpenStreams(size_t count) {
  const absl::Time deadline = absl::Now() + absl::FromChrono(kHung);
  while (streams_.List().size() != count && absl::Now() < deadline) std::this_thread::yield();
  EXPECT_EQ(streams_.List().size(), count);
  EXPECT_EQ(Metric("refund_relay_subscriber_streams"), static_cast<double>(count));
}

double StreamingServer::Metric(const std::string& name, const std::string& subscriber) {
  std::vector<prometheus::MetricFamily> families = registry_.Collect();
  for (prometheus::MetricFamily& family : metrics_.Collect()) families.push_back(std::move(family));
  for (const prometheus::MetricFamily& family : families) {
    if (family.name != name) continue;
    for (const prometheus::ClientMetric& metric : family.metric) {
      const bool is_it =
          subscriber.empty() ? metric.label.empty() : metric.label.size() == 1 && metric.label[0].value == subscriber;
      if (is_it) return family.type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value;
    }
  }
  ADD_FAILURE() << "no series " << name << " of \"" << subscriber << "\"";
  return 0;
}

std::string StreamingServer::address() const { return absl::StrCat("127.0.0.1:", server_->port()); }

std::unique_ptr<refundrelay::v1::RefundEventService::Stub> StreamingServer::NewStub() const {
  return refundrelay::v1::RefundEventService::NewStub(NewChannel());
}

std::shared_ptr<grpc::Channel> StreamingServer::NewChannel() const {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxReceiveMessageSize(-1);
  // What a client takes in before it reads: little, and always the same.
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 64 << 10);
  return grpc::CreateCustomChannel(address(), grpc::InsecureChannelCredentials(), arguments);
}

refundrelay::v1::Position StreamingServer::PositionAt(uint64_t sequence) const {
  const absl::StatusOr<LogPosition> position = log().PositionAt(sequence);
  EXPECT_TRUE(position.ok()) << position.status();
  return ToProto(log().Info().log_id, *position);
}

StreamReader::StreamReader(refundrelay::v1::RefundEventService::Stub& stub,
                           const refundrelay::v1::SubscribeRequest& request, const std::string& token) {
  if (!token.empty()) context_.AddMetadata("authorization", absl::StrCat("Bearer ", token));
  context_.set_deadline(std::chrono::system_clock::now() + kHung);
  reader_ = stub.Subscribe(&context_, request);
}

StreamReader::~StreamReader() {
  context_.TryCancel();
  refundrelay::v1::SubscribeResponse rest;
  while (reader_->Read(&rest)) {
  }
}

refundrelay::v1::SubscribeResponse StreamReader::Read() {
  refundrelay::v1::SubscribeResponse response;
  if (!reader_->Read(&response)) {
    const grpc::Status status = reader_->Finish();
    ADD_FAILURE() << "the stream ended: " << status.error_code() << " " << status.error_message();
  }
  return response;
}

bool StreamReader::TryRead(refundrelay::v1::SubscribeResponse* response) { return reader_->Read(response); }

grpc::Status StreamReader::Finish() { return reader_->Finish(); }

refundrelay::v1::SubscribeRequest FromEarliest() {
  refundrelay::v1::SubscribeRequest request;
  request.set_subscriber_name("test");
  request.set_start_from(refundrelay::v1::START_FROM_EARLIEST);
  return request;
}

}  // namespace refund_relay
