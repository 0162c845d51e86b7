// The streaming half of refund-relay for tests: log, fan-out, history and the real gRPC server on a free port.
#ifndef REFUND_RELAY_TESTS_TESTING_STREAMING_SERVER_H_
#define REFUND_RELAY_TESTS_TESTING_STREAMING_SERVER_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <prometheus/registry.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "refundrelay/v1/refund_event_service.grpc.pb.h"
#include "server/log/event_log.h"
#include "server/log/open_storage.h"
#include "server/rpc/access_control.h"
#include "server/rpc/grpc_server.h"
#include "server/rpc/rpc_metrics.h"
#include "server/rpc/stream_registry.h"
#include "server/stream/fan_out.h"
#include "server/stream/history_reader.h"
#include "server/translate/webhook_parser.h"

namespace refund_relay {

class StreamingServer {
 public:
  struct Options {
    GrpcServer::Options grpc = {};
    FanOut::Options fan_out = {};
    int history_threads = 2;
    std::optional<Storage> storage = std::nullopt;  // in memory if unset
    ParseFunction parse = ParseWebhook;
    std::string access_policy = {};  // JSON; everyone may do everything if it is empty
    ServiceAccountVerifier* service_accounts = nullptr;
    std::vector<NewEvent> stored = {};  // appended before the server starts, so that they are history
  };

  explicit StreamingServer(Options options);
  ~StreamingServer();

  // Stops all but the log, which goes on elsewhere. Then only the destructor may be called.
  Storage StopAndTakeStorage();

  EventLog& log() const { return *storage_.log; }
  Storage& storage() { return storage_; }
  PositionStore& positions() const { return *storage_.positions; }
  FanOut& fan_out() { return fan_out_; }
  StreamRegistry& streams() { return streams_; }
  RpcMetrics& metrics() { return metrics_; }
  HistoryReader& history() { return history_; }
  prometheus::Registry& registry() { return registry_; }
  AppendCount& promotions() { return promotions_; }
  AccessControl& access() { return access_; }
  // Puts another policy in force and has open streams looked at, as the server does when the file changes.
  void ChangePolicy(const std::string& json);
  // Commits the position at `sequence` under a name.
  void CommitAndWait(const std::string& subscriber_name, uint64_t sequence,
                     const refundrelay::v1::EventFilter& filter = {}) const;
  // Streams that ended leave the registry in their own time: waits until `count` are there.
  void AwaitOpenStreams(size_t count);
  // The value of one series; fails the test when it is not there.
  double Metric(const std::string& name, const std::string& subscriber = "");
  GrpcServer& server() { return *server_; }
  // A connection of its own, and a stub on one.
  std::shared_ptr<grpc::Channel> NewChannel() const;
  std::unique_ptr<refundrelay::v1::RefundEventService::Stub> NewStub() const;
  std::string address() const;
  refundrelay::v1::Position PositionAt(uint64_t sequence) const;

 private:
  Storage storage_;
  prometheus::Registry registry_;
  FanOut fan_out_;
  StreamRegistry streams_;
  RpcMetrics metrics_;
  AccessControl access_;
  HistoryReader history_;
  AppendCount promotions_;
  std::unique_ptr<GrpcServer> server_;
};

// One open stream, read message by message with a deadline on each.
class StreamReader {
 public:
  // With a bearer token, if `token` is not empty.
  StreamReader(refundrelay::v1::RefundEventService::Stub& stub, const refundrelay::v1::SubscribeRequest& request,
               const std::string& token = "");
  ~StreamReader();

  // The next message, heartbeats included; fails the test when the stream has ended.
  refundrelay::v1::SubscribeResponse Read();
  // False at the end of the stream.
  bool TryRead(refundrelay::v1::SubscribeResponse* response);
  grpc::Status Finish();
  void Cancel() { context_.TryCancel(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<refundrelay::v1::SubscribeResponse>> reader_;
};

// A request for everything from the start, by the subscriber `test`.
refundrelay::v1::SubscribeRequest FromEarliest();

}  // namespace refund_relay

#endif  // REFUND_RELAY_TESTS_TESTING_STREAMING_SERVER_H_
