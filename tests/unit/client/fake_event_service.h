// A gRPC server on a free loopback port that answers by a script.
#ifndef REFUND_RELAY_TESTS_UNIT_CLIENT_FAKE_EVENT_SERVICE_H_
#define REFUND_RELAY_TESTS_UNIT_CLIENT_FAKE_EVENT_SERVICE_H_

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "refundrelay/v1/refund_event_service.grpc.pb.h"
#include "refundrelay/v1/rpc_status.pb.h"

namespace refund_relay {

// A status as the server builds it.
inline grpc::Status RichError(grpc::StatusCode code, const std::string& message, const std::string& reason) {
  refundrelay::v1::Status details;
  refundrelay::v1::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("refund-relay");
  auto* any = details.add_details();
  any->set_type_url("type.googleapis.com/google.rpc.ErrorInfo");
  any->set_value(info.SerializeAsString());
  return {code, message, details.SerializeAsString()};
}

class FakeEventService final : public refundrelay::v1::RefundEventService::Service {
 public:
  struct Stream {
    std::vector<refundrelay::v1::SubscribeResponse> responses;
    grpc::Status status;
    bool stay_open = false;  // After the last response, until the fake goes.
  };
  template <typename Response>
  struct Answer {
    Response response;
    grpc::Status status;
  };

  // Port 0 picks a free one.
  explicit FakeEventService(const std::string& listen_address = "127.0.0.1:0") {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(listen_address, grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port);
  }
  ~FakeEventService() override {
    going_.Notify();
    server_->Shutdown();
  }

  const std::string& address() const { return address_; }

  void AddStream(Stream stream) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    streams_.push_back(std::move(stream));
  }
  void AddPage(refundrelay::v1::ListEventsResponse page, grpc::Status status = {}) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    pages_.push_back({std::move(page), std::move(status)});
  }
  void SetEvent(refundrelay::v1::GetEventResponse event, grpc::Status status = {}) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    event_ = {std::move(event), std::move(status)};
  }
  void SetLastSequence(uint64_t sequence) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    last_sequence_ = sequence;
  }
  std::vector<refundrelay::v1::SubscribeRequest> subscribe_requests() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return subscribe_requests_;
  }
  std::vector<refundrelay::v1::ListEventsRequest> list_requests() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return list_requests_;
  }

  grpc::Status Subscribe(grpc::ServerContext*, const refundrelay::v1::SubscribeRequest* request,
                         grpc::ServerWriter<refundrelay::v1::SubscribeResponse>* writer) override {
    Stream stream;
    {
      absl::MutexLock lock(&mutex_);
      subscribe_requests_.push_back(*request);
      if (streams_.empty()) return {grpc::StatusCode::UNAUTHENTICATED, "the script is over"};
      stream = std::move(streams_.front());
      streams_.pop_front();
    }
    for (const auto& response : stream.responses) writer->Write(response);
    if (stream.stay_open) going_.WaitForNotification();
    return stream.status;
  }
  grpc::Status ListEvents(grpc::ServerContext*, const refundrelay::v1::ListEventsRequest* request,
                          refundrelay::v1::ListEventsResponse* response) override {
    absl::MutexLock lock(&mutex_);
    list_requests_.push_back(*request);
    if (pages_.empty()) return {grpc::StatusCode::UNAUTHENTICATED, "the script is over"};
    *response = pages_.front().response;
    const grpc::Status status = pages_.front().status;
    pages_.pop_front();
    return status;
  }
  grpc::Status GetEvent(grpc::ServerContext*, const refundrelay::v1::GetEventRequest*,
                        refundrelay::v1::GetEventResponse* response) override {
    absl::MutexLock lock(&mutex_);
    *response = event_.response;
    return event_.status;
  }
  grpc::Status GetLogInfo(grpc::ServerContext*, const refundrelay::v1::GetLogInfoRequest*,
                          refundrelay::v1::GetLogInfoResponse* response) override {
    response->set_log_id("log1");
    response->set_first_sequence(1);
    absl::MutexLock lock(&mutex_);
    response->set_last_sequence(last_sequence_);
    return grpc::Status::OK;
  }

 private:
  absl::Notification going_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  absl::Mutex mutex_;
  std::deque<Stream> streams_ ABSL_GUARDED_BY(mutex_);
  std::deque<Answer<refundrelay::v1::ListEventsResponse>> pages_ ABSL_GUARDED_BY(mutex_);
  Answer<refundrelay::v1::GetEventResponse> event_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_sequence_ ABSL_GUARDED_BY(mutex_) = 2;
  std::vector<refundrelay::v1::SubscribeRequest> subscribe_requests_ ABSL_GUARDED_BY(mutex_);
  std::vector<refundrelay::v1::ListEventsRequest> list_requests_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_TESTS_UNIT_CLIENT_FAKE_EVENT_SERVICE_H_
