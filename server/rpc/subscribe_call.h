// SubscribeCall: one Subscribe stream on its queue thread, from request to last tag.
#ifndef REFUND_RELAY_SERVER_RPC_SUBSCRIBE_CALL_H_
#define REFUND_RELAY_SERVER_RPC_SUBSCRIBE_CALL_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/byte_buffer.h>
#include <prometheus/counter.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "refundrelay/v1/refund_event_service.pb.h"
#include "server/access/caller.h"
#include "server/ops/peer_address.h"
#include "server/rpc/call_context.h"
#include "server/rpc/event_service.h"
#include "server/rpc/queue_thread.h"
#include "server/rpc/stream_record.h"
#include "server/rpc/subscribe_request.h"
#include "server/stream/subscription.h"

namespace refund_relay {

// Moves the messages that its Subscription gives out onto the wire, one write at a time, and adds what has to do with
// time: heartbeats, the write-stall deadline, the stream's greatest age, going away. Everything runs on the queue
// thread. It owns itself and dies when gRPC has returned its last tag and no page of history is on its way.
class SubscribeCall final : private QueueThread::Waiter, private QueueThread::Timed {
 public:
  // The open streams of one queue thread, so that a drain reaches them.
  class Registry {
   public:
    void Add(SubscribeCall* call) { calls_.push_back(call); }
    void Remove(SubscribeCall* call);
    // Ends each with going_away and UNAVAILABLE, `reason`.
    void SendAway(const std::string& reason, absl::Duration reconnect_after);
    // Sends away, POLICY_CHANGED, those whose rights are not what they were when the stream began.
    void CheckRights();

   private:
    std::vector<SubscribeCall*> calls_;
  };

  // Waits for the next Subscribe call on `thread`; then waits for another. All must outlive the call.
  static void Request(EventService& service, CallContext& context, QueueThread& thread, Registry& registry);

 private:
  using TimePoint = QueueThread::TimePoint;

  // Routes a tag to a method, and counts it as under way.
  class Operation final : public QueueThread::Tag {
   public:
    Operation(SubscribeCall* call, void (SubscribeCall::*method)(bool ok)) : call_(call), method_(method) {}
    // What to hand to gRPC for the next use.
    void* Begin() {
      ++call_->operations_;
      return this;
    }
    void OnComplete(bool ok) override;

   private:
    SubscribeCall* const call_;
    void (SubscribeCall::* const method_)(bool);
  };

  SubscribeCall(EventService& service, CallContext& context, QueueThread& thread, Registry& registry);
  ~SubscribeCall() override;

  void OnRequested(bool ok);
  void OnWritten(bool ok);
  void OnFinished(bool ok);
  void OnDone(bool ok);
  void OnPublished() override;
  void OnDeadline(TimePoint now) override;

  // Whether the caller still is who it was, with the same rights to events, under the policy of now.
  bool HasItsRights() const;

  // From a well-formed request to a running subscription.
  absl::Status Open();
  void OnResolved(absl::StatusOr<Subscription::Options> options);
  // Ends a call that does not become a stream.
  void Refuse(const absl::Status& status);
  void Start(Subscription::Options options);

  // Takes steps of the subscription until something is under way or there is nothing to do.
  void Pump();
  void ReadHistory();
  void OnHistory(absl::StatusOr<std::shared_ptr<const EncodedEvents>> page);

  void Write(const refundrelay::v1::SubscribeResponse& response);
  void Write(std::vector<grpc::Slice> message);
  void WriteHeartbeat();
  void GoAway(const std::string& reason, absl::Duration reconnect_after);
  void Finish(const absl::Status& status);
  // Ends the stream of a peer that does not read.
  void Cut();
  void SetNextDeadline();
  void EndOperation();

  refundrelay::v1::Position Position() const;

  EventService& service_;
  CallContext& context_;
  QueueThread& thread_;
  Registry& registry_;

  grpc::ServerContext server_context_;
  grpc::ByteBuffer request_bytes_;
  grpc::ServerAsyncWriter<grpc::ByteBuffer> writer_{&server_context_};
  Operation requested_{this, &SubscribeCall::OnRequested};
  Operation written_{this, &SubscribeCall::OnWritten};
  Operation finished_{this, &SubscribeCall::OnFinished};
  Operation done_{this, &SubscribeCall::OnDone};
  int operations_ = 0;  // tags and tasks under way

  bool matched_ = false;  // a peer made this call
  std::string peer_;      // kept, because a call that was cut forgets it
  PeerAddress peer_address_;
  Caller caller_;
  CheckedSubscribe request_;
  std::optional<Subscription> subscription_;
  std::string log_id_;
  std::shared_ptr<StreamRecord> record_;
  prometheus::Counter* delivered_ = nullptr;
  bool open_ = false;  // counted in context_.open_streams and in the registry
  bool writing_ = false;
  bool reading_history_ = false;
  bool finishing_ = false;                  // Finish was called, or the call is over
  bool over_ = false;                       // gRPC needs nothing more of us
  bool cut_ = false;                        // cancelled by the write-stall deadline
  std::optional<absl::Status> going_away_;  // why, once told
  bool told_going_away_ = false;
  absl::Duration reconnect_after_;
  std::string end_reason_ = "the subscriber ended it";  // for the log line
  TimePoint last_sent_;                                 // when the last write began or was accepted
  TimePoint ends_at_ = TimePoint::max();
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_SUBSCRIBE_CALL_H_
