#include "server/rpc/grpc_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "server/ops/logging.h"
#include "server/rpc/event_service.h"
#include "server/rpc/grpc_acceptor.h"
#include "server/rpc/queue_thread.h"
#include "server/rpc/subscribe_call.h"
#include "server/rpc/tls_credentials.h"
#include "server/rpc/unary_methods.h"

namespace refund_relay {
namespace {

// Time-outs and limits of connections; docs/adr/0006-completion-queue-grpc.md says why these.
constexpr absl::Duration kKeepaliveTime = absl::Seconds(30);
// From accept to the end of TLS and of HTTP/2's settings; gRPC would wait for two minutes.
constexpr absl::Duration kHandshakeTimeout = absl::Seconds(10);
constexpr absl::Duration kKeepaliveTimeout = absl::Seconds(10);
constexpr absl::Duration kShortestPingInterval = absl::Seconds(10);
constexpr int kMaxStreamsPerConnection = 1000;
constexpr int kMaxRequestBytes = 256 << 10;
// Of one call, names and values: room for a token of a service account. More is RESOURCE_EXHAUSTED for that call.
constexpr int kMaxMetadataBytes = 16 << 10;
constexpr int kMaxGrpcThreads = 64;  // of gRPC's own: health and reflection
constexpr absl::Duration kShutdownGrace = absl::Milliseconds(200);
constexpr int kWaitingCallsPerMethod = 4;  // per queue thread

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(std::min<int64_t>(absl::ToInt64Milliseconds(duration), std::numeric_limits<int>::max()));
}

// A connection outlives its streams, which say goodbye on their own; gRPC just cuts them when age and grace are over.
void LimitConnectionAge(grpc::ServerBuilder& builder, absl::Duration max_stream_age) {
  if (max_stream_age == absl::InfiniteDuration()) return;
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, Milliseconds(max_stream_age));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
                             Milliseconds(max_stream_age * 1.2 + absl::Minutes(1)));
}

}  // namespace

class GrpcServer::Impl {
 public:
  Impl(const Options& options, const Parts& parts)
      : context_{parts.log,
                 parts.positions,
                 parts.quarantine,
                 parts.fan_out,
                 parts.history,
                 parts.promotions,
                 parts.streams,
                 parts.metrics,
                 parts.access,
                 parts.clock,
                 parts.parse,
                 options.server_instance,
                 options.server_version,
                 PeerQuota(options.max_streams, options.max_streams_per_peer),
                 options.write_stall_timeout,
                 options.max_stream_age},
        unary_methods_(BindUnaryMethods(events_, admin_, context_)) {}

  absl::Status Start(const Options& options) {
    grpc::EnableDefaultHealthCheckService(true);
    if (options.reflection) grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    credentials_ = options.tls == nullptr ? grpc::InsecureServerCredentials()
                                          : MakeTlsCredentials(*options.tls, options.require_client_certificate);
    auto listening = GrpcAcceptor::Listen(
        options.address, {options.max_connections, options.max_connections_per_peer, kKeepaliveTimeout},
        context_.metrics);
    if (!listening.ok()) return listening.status();
    acceptor_ = *std::move(listening);
    context_.input = &acceptor_->input();
    take_connections_ = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, credentials_);
    builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, Milliseconds(kHandshakeTimeout));
    builder.RegisterService(&events_);
    builder.RegisterService(&admin_);
    builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
    builder.SetMaxSendMessageSize(-1);
    // gRPC inflates before it looks at the limit above, and before anybody knows who calls.
    builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
    builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
    builder.SetResourceQuota(grpc::ResourceQuota("refund-relay").SetMaxThreads(kMaxGrpcThreads));
    builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(kKeepaliveTime));
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kKeepaliveTimeout));
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                               Milliseconds(kShortestPingInterval));
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsPerConnection);
    LimitConnectionAge(builder, options.max_stream_age);
    std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
    for (int i = 0; i < std::max(options.threads, 1); ++i) queues.push_back(builder.AddCompletionQueue());
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) {
      for (auto& queue : queues) {
        queue->Shutdown();
        void* tag = nullptr;
        bool ok = false;
        while (queue->Next(&tag, &ok)) {
        }
      }
      return absl::InternalError(absl::StrCat("gRPC does not start on ", options.address.ToString()));
    }
    for (auto& queue : queues) {
      threads_.push_back(std::make_unique<QueueThread>(std::move(queue), context_.fan_out));
      registries_.push_back(std::make_unique<SubscribeCall::Registry>());
    }
    for (size_t i = 0; i < threads_.size(); ++i) {
      for (int calls = 0; calls < kWaitingCallsPerMethod; ++calls) {
        SubscribeCall::Request(events_, context_, *threads_[i], *registries_[i]);
        for (const auto& wait_for_next : unary_methods_) wait_for_next(*threads_[i]);
      }
      threads_[i]->Start();
    }
    SetServing(true);
    acceptor_->Start([this](int socket) {
      grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
      connection.fd = socket;
      take_connections_->HandleNewConnection(&connection);
    });
    return absl::OkStatus();
  }

  int port() const { return acceptor_->port(); }
  void ExpectProbe(uint16_t source_port) { acceptor_->ExpectProbe(source_port); }

  void Drain(absl::Duration reconnect_after) {
    context_.draining = true;
    SetServing(false);
    for (size_t i = 0; i < threads_.size(); ++i) {
      threads_[i]->Post(
          [registry = registries_[i].get(), reconnect_after] { registry->SendAway("DRAINING", reconnect_after); });
    }
  }

  void PolicyChanged() {
    for (size_t i = 0; i < threads_.size(); ++i) {
      threads_[i]->Post([registry = registries_[i].get()] { registry->CheckRights(); });
    }
  }

  void Stop(absl::Time deadline) {
    if (server_ == nullptr) return;
    // Calls are waited for, connections are not: Shutdown by itself would wait for any peer that just stays connected,
    // and for streams of health and reflection. The grace is for the last trailers to leave.
    for (auto& thread : threads_) thread->AwaitNoActiveCalls(deadline);
    context_.pending->FailAll(DrainingError());
    // First: gRPC forgets, and never closes, what it is given after its shutdown. Shutdown waits for connections that
    // keep its threads, too; those are cut once the others have had their grace.
    acceptor_->Close(std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(2 * kShutdownGrace));
    // The queue threads go on meanwhile: Shutdown waits for tags that they must take.
    server_->Shutdown(absl::ToChronoTime(std::min(deadline, absl::Now() + kShutdownGrace)));
    context_.history.Stop();
    for (auto& thread : threads_) thread->Stop();
    acceptor_->Stop();
    server_.reset();
  }

 private:
  void SetServing(bool serving) {
    grpc::HealthCheckServiceInterface* const health = server_->GetHealthCheckService();
    health->SetServingStatus(serving);  // the server as a whole
    health->SetServingStatus(refundrelay::v1::RefundEventService::service_full_name(), serving);
    health->SetServingStatus(refundrelay::v1::AdminService::service_full_name(), serving);
  }

  EventService events_;
  AdminService admin_;
  CallContext context_;
  const std::vector<std::function<void(QueueThread&)>> unary_methods_;
  std::shared_ptr<grpc::ServerCredentials> credentials_;  // gRPC asks it at each handshake
  std::unique_ptr<GrpcAcceptor> acceptor_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> take_connections_;
  std::unique_ptr<grpc::Server> server_;
  std::vector<std::unique_ptr<QueueThread>> threads_;
  std::vector<std::unique_ptr<SubscribeCall::Registry>> registries_;
};

GrpcServer::GrpcServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GrpcServer::~GrpcServer() { impl_->Stop(absl::Now()); }

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const Options& options, const Parts& parts) {
  auto impl = std::make_unique<Impl>(options, parts);
  if (absl::Status status = impl->Start(options); !status.ok()) return status;
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(impl)));
}

int GrpcServer::port() const { return impl_->port(); }
void GrpcServer::ExpectProbe(uint16_t source_port) { impl_->ExpectProbe(source_port); }
void GrpcServer::Drain(absl::Duration reconnect_after) { impl_->Drain(reconnect_after); }
void GrpcServer::PolicyChanged() { impl_->PolicyChanged(); }
void GrpcServer::Stop(absl::Time deadline) { impl_->Stop(deadline); }

}  // namespace refund_relay
