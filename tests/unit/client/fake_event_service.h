// A gRPC server on a free loopback port that answers by a script.
#ifndef REFUND_RELAY_TESTS_UNIT_CLIENT_FAKE_EVENT_SERVICE_H_
#define REFUND_RELAY_TESTS_UNIT_CLIENT_FAKE_EVENT_SERVICE_H_

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "refundrelay/v1/refund_event_service.grpc.pb.h"
#include "refundrelay/v1/rpc_status.pb.h"

namespace refund_relay {

// A status as the server builds it.
inline grpc::Status RichError(grpc::StatusCode code, const std::string& message, const std::string& reason,
                              const std::map<std::string, std::string>& metadata = {}) {
  refundrelay::v1::Status details;
  refundrelay::v1::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("refund-relay");
  for (const auto& [key, value] : metadata) (*info.mutable_metadata())[key] = value;
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

  // Port 0 picks a free one. `beside`, if given, is served too and outlives this.
  explicit FakeEventService(const std::string& listen_address = "127.0.0.1:0", grpc::Service* beside = nullptr) {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(listen_address, grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(this);
    if (beside != nullptr) builder.RegisterService(beside);
    server_ = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port);
  }
  ~FakeEventService() override {
    going_.Notify();
    server_->Shutdown();
  }

  const std::string& address() const { return address_; }

  // Only if gRPC's default health service was enabled when this was made.
  void SetServing(bool serving) {
    server_->GetHealthCheckService()->SetServingStatus(refundrelay::v1::RefundEventService::service_full_name(),
                                                       serving);
  }

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
  // The next commit ends with `status`; whether it takes effect all the same, `applied` says.
  void AddCommitFailure(grpc::Status status, bool applied) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    commit_failures_.push_back({std::move(status), applied});
  }
  // Get and commit answer so from now on.
  void SetPositionsStatus(grpc::Status status) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    positions_status_ = std::move(status);
  }
  // As another process would.
  void Commit(const refundrelay::v1::Position& position, const refundrelay::v1::EventFilter& filter = {})
      ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    *committed_.mutable_position() = position;
    *committed_.mutable_filter() = filter;
    committed_.set_version(committed_.version() + 1);
  }
  // As a backup that is restored would.
  void Restore(const refundrelay::v1::Position& position, uint64_t version) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    *committed_.mutable_position() = position;
    committed_.set_version(version);
  }
  refundrelay::v1::GetCommittedPositionResponse committed() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return committed_;
  }
  std::vector<refundrelay::v1::CommitPositionRequest> commit_requests() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return commit_requests_;
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
  // One name's position, by the contract's rules for versions.
  grpc::Status CommitPosition(grpc::ServerContext*, const refundrelay::v1::CommitPositionRequest* request,
                              refundrelay::v1::CommitPositionResponse* response) override {
    absl::MutexLock lock(&mutex_);
    commit_requests_.push_back(*request);
    if (!positions_status_.ok()) return positions_status_;
    CommitFailure failure;
    if (!commit_failures_.empty()) {
      failure = commit_failures_.front();
      commit_failures_.pop_front();
    }
    if (!failure.applied) return failure.status;
    if (request->has_expected_version() && request->expected_version() != committed_.version()) {
      return RichError(grpc::StatusCode::ABORTED, "the version is another one", "VERSION_CHANGED",
                       {{"current", std::to_string(committed_.version())}});
    }
    if (!request->has_expected_version() && request->position().sequence() < committed_.position().sequence()) {
      return RichError(grpc::StatusCode::FAILED_PRECONDITION, "it lies behind", "WOULD_REWIND");
    }
    *committed_.mutable_position() = request->position();
    *committed_.mutable_filter() = request->filter();
    committed_.set_version(committed_.version() + 1);
    response->set_version(committed_.version());
    return failure.status;
  }
  grpc::Status GetCommittedPosition(grpc::ServerContext*, const refundrelay::v1::GetCommittedPositionRequest*,
                                    refundrelay::v1::GetCommittedPositionResponse* response) override {
    absl::MutexLock lock(&mutex_);
    *response = committed_;
    return positions_status_;
  }

 private:
  struct CommitFailure {
    grpc::Status status;
    bool applied = true;
  };

  absl::Notification going_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  absl::Mutex mutex_;
  std::deque<Stream> streams_ ABSL_GUARDED_BY(mutex_);
  std::deque<Answer<refundrelay::v1::ListEventsResponse>> pages_ ABSL_GUARDED_BY(mutex_);
  Answer<refundrelay::v1::GetEventResponse> event_ ABSL_GUARDED_BY(mutex_);
  refundrelay::v1::GetCommittedPositionResponse committed_ ABSL_GUARDED_BY(mutex_);
  grpc::Status positions_status_ ABSL_GUARDED_BY(mutex_);
  std::deque<CommitFailure> commit_failures_ ABSL_GUARDED_BY(mutex_);
  std::vector<refundrelay::v1::CommitPositionRequest> commit_requests_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_sequence_ ABSL_GUARDED_BY(mutex_) = 2;
  std::vector<refundrelay::v1::SubscribeRequest> subscribe_requests_ ABSL_GUARDED_BY(mutex_);
  std::vector<refundrelay::v1::ListEventsRequest> list_requests_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_TESTS_UNIT_CLIENT_FAKE_EVENT_SERVICE_H_
