#include "tests/testing/streaming_server.h"

#include <grpcpp/create_channel.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/rpc/position_check.h"
#include "tests/testing/test_events.h"

namespace refund_relay {
namespace {

// Nothing here takes near as long: a stream that gives nothing for this long has hung.
constexpr std::chrono::seconds kHung{60};

Storage OrMemory(Storage storage) {
  if (storage.log != nullptr) return storage;
  StorageOptions options;
  options.log = "memory";
  return *OpenStorage(options);
}

}  // namespace

StreamingServer::StreamingServer(Options options)
    : storage_(OrMemory(std::move(options.storage))),
      fan_out_(options.fan_out),
      metrics_(registry_, fan_out_),
      history_(log(), options.history_threads) {
  for (NewEvent& event : options.stored) AppendOrFail(log(), std::move(event));
  fan_out_.Start(log());
  options.grpc.address = "127.0.0.1:0";
  options.grpc.server_instance = "test-instance";
  options.grpc.server_version = "test-version";
  auto server = GrpcServer::Start(options.grpc, {log(), *storage_.positions, *storage_.quarantine, fan_out_, history_,
                                                 metrics_, Clock::System(), options.parse});
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

std::string StreamingServer::address() const { return absl::StrCat("127.0.0.1:", server_->port()); }

std::unique_ptr<refundrelay::v1::RefundEventService::Stub> StreamingServer::NewStub() const {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxReceiveMessageSize(-1);
  return refundrelay::v1::RefundEventService::NewStub(
      grpc::CreateCustomChannel(address(), grpc::InsecureChannelCredentials(), arguments));
}

refundrelay::v1::Position StreamingServer::PositionAt(uint64_t sequence) {
  const absl::StatusOr<LogPosition> position = log().PositionAt(sequence);
  EXPECT_TRUE(position.ok()) << position.status();
  return ToProto(log().Info().log_id, *position);
}

StreamReader::StreamReader(refundrelay::v1::RefundEventService::Stub& stub,
                           const refundrelay::v1::SubscribeRequest& request) {
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
