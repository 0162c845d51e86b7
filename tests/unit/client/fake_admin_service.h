// An AdminService that answers by a script, beside a FakeEventService.
#ifndef REFUND_RELAY_TESTS_UNIT_CLIENT_FAKE_ADMIN_SERVICE_H_
#define REFUND_RELAY_TESTS_UNIT_CLIENT_FAKE_ADMIN_SERVICE_H_

#include <deque>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "refundrelay/v1/admin_service.grpc.pb.h"

namespace refund_relay {

// The requests and the answers of one rpc; without an answer left it fails. Thread-safe.
template <typename Request, typename Response>
class ScriptedCall {
 public:
  void Add(Response response) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    responses_.push_back(std::move(response));
  }
  void Fail(grpc::Status status) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    failure_ = std::move(status);
  }
  std::vector<Request> requests() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return requests_;
  }
  grpc::Status Answer(const Request& request, Response* response) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    requests_.push_back(request);
    if (responses_.empty()) return failure_;
    *response = std::move(responses_.front());
    responses_.pop_front();
    return grpc::Status::OK;
  }

 private:
  absl::Mutex mutex_;
  std::vector<Request> requests_ ABSL_GUARDED_BY(mutex_);
  std::deque<Response> responses_ ABSL_GUARDED_BY(mutex_);
  grpc::Status failure_ ABSL_GUARDED_BY(mutex_) = {grpc::StatusCode::UNAUTHENTICATED, "the script is over"};
};

class FakeAdminService final : public refundrelay::v1::AdminService::Service {
 public:
  ScriptedCall<refundrelay::v1::ListSubscribersRequest, refundrelay::v1::ListSubscribersResponse> subscribers;
  ScriptedCall<refundrelay::v1::DeleteCommittedPositionRequest, refundrelay::v1::DeleteCommittedPositionResponse>
      remove;
  ScriptedCall<refundrelay::v1::ListQuarantinedWebhooksRequest, refundrelay::v1::ListQuarantinedWebhooksResponse> list;
  ScriptedCall<refundrelay::v1::RetryQuarantinedWebhooksRequest, refundrelay::v1::RetryQuarantinedWebhooksResponse>
      retry;
  ScriptedCall<refundrelay::v1::DiscardQuarantinedWebhooksRequest, refundrelay::v1::DiscardQuarantinedWebhooksResponse>
      discard;

  grpc::Status ListSubscribers(grpc::ServerContext*, const refundrelay::v1::ListSubscribersRequest* request,
                               refundrelay::v1::ListSubscribersResponse* response) override {
    return subscribers.Answer(*request, response);
  }
  grpc::Status DeleteCommittedPosition(grpc::ServerContext*,
                                       const refundrelay::v1::DeleteCommittedPositionRequest* request,
                                       refundrelay::v1::DeleteCommittedPositionResponse* response) override {
    return remove.Answer(*request, response);
  }
  grpc::Status ListQuarantinedWebhooks(grpc::ServerContext*,
                                       const refundrelay::v1::ListQuarantinedWebhooksRequest* request,
                                       refundrelay::v1::ListQuarantinedWebhooksResponse* response) override {
    return list.Answer(*request, response);
  }
  grpc::Status RetryQuarantinedWebhooks(grpc::ServerContext*,
                                        const refundrelay::v1::RetryQuarantinedWebhooksRequest* request,
                                        refundrelay::v1::RetryQuarantinedWebhooksResponse* response) override {
    return retry.Answer(*request, response);
  }
  grpc::Status DiscardQuarantinedWebhooks(grpc::ServerContext*,
                                          const refundrelay::v1::DiscardQuarantinedWebhooksRequest* request,
                                          refundrelay::v1::DiscardQuarantinedWebhooksResponse* response) override {
    return discard.Answer(*request, response);
  }
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_TESTS_UNIT_CLIENT_FAKE_ADMIN_SERVICE_H_
