#include "server/app.h"

#include <unistd.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "server/ops/clock.h"
#include "server/ops/logging.h"
#include "server/ops/process_limits.h"
#include "server/ops/version.h"
#include "server/rpc/grpc_acceptor.h"
#include "server/translate/webhook_parser.h"

namespace refund_relay {
namespace {

// What a client waits before it comes back from a server that drains; another one is likely there already.
constexpr absl::Duration kReconnectAfterDrain = absl::Seconds(1);
// The log gets this long to write what waits, whatever the drain left over.
constexpr absl::Duration kLogCloseTimeout = absl::Seconds(10);
// A log that failed has answered everyone; this is for those answers to leave.
constexpr absl::Duration kStopAfterFailure = absl::Seconds(2);
// File descriptors that are not connections of the ingress: gRPC, admin, the log, libraries.
constexpr uint64_t kOtherDescriptors = 512;

int ThreadsOr(size_t configured) {
  if (configured > 0) return static_cast<int>(configured);
  return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 16u));
}

// Names this process among its replicas and its own earlier lives.
std::string MakeInstanceName() {
  char host[256] = {};
  if (gethostname(host, sizeof(host) - 1) != 0) host[0] = '\0';
  absl::BitGen random;
  return absl::StrCat(host, "-", getpid(), "-", absl::Hex(absl::Uniform<uint32_t>(random), absl::kZeroPad8));
}

}  // namespace

App::App(Config config)
    : config_(std::move(config)),
      instance_(MakeInstanceName()),
      ops_metrics_(metrics_.registry()),
      log_metrics_(metrics_.registry()),
      ingress_metrics_(metrics_.registry()),
      credentials_(config_.webhook_secret_files, config_.webhook_basic_files),
      service_accounts_(MakeServiceAccounts()),
      access_(metrics_.registry(), service_accounts_ == nullptr ? nullptr : &service_accounts_->verifier()),
      fan_out_({.window_bytes = config_.live_window_bytes}),
      rpc_metrics_(std::make_shared<RpcMetrics>(metrics_.registry(), fan_out_, streams_, Clock::System())),
      watcher_(std::make_unique<FileWatcher>()) {
  grpc_tls_ =
      MakeTlsStore("grpc", {config_.grpc_tls_cert_file, config_.grpc_tls_key_file, config_.grpc_tls_client_ca_file});
  http_tls_ = MakeTlsStore("http", {config_.http_tls_cert_file, config_.http_tls_key_file, ""});
  admin_tls_ = MakeTlsStore("admin", {config_.admin_tls_cert_file, config_.admin_tls_key_file, ""});
  metrics_.Add(rpc_metrics_);
}

App::~App() = default;

absl::Status App::Start() {
  SetLogLevel(config_.log_level);
  for (const std::string& warning : config_.warnings) Log(LogLevel::kWarning, warning);
  if (config_.allow_core_dumps) {
    Log(LogLevel::kWarning,
        "core dumps are allowed; they hold secrets and personal data: keep them as safe as the log");
  } else if (const absl::Status status = DisableCoreDumps(); !status.ok()) {
    Log(LogLevel::kWarning, "core dumps could not be turned off", {{"error", status}});
  }
  if (const absl::StatusOr<uint64_t> limit = RaiseOpenFileLimit(); limit.ok()) {
    open_file_limit_ = *limit;
  } else {
    Log(LogLevel::kWarning, "the limit of open files could not be raised", {{"error", limit.status()}});
  }
  // The admin port comes first: probes must find it while a long log is opened.
  for (const auto step : {&App::LoadCredentials, &App::LoadAccessPolicy, &App::LoadCertificates, &App::StartAdmin,
                          &App::LoadServiceAccountKeys, &App::OpenLog, &App::StartGrpc, &App::StartIngress}) {
    if (StopRequested()) return absl::CancelledError("a stop was asked for while starting");
    if (absl::Status status = (this->*step)(); !status.ok()) return status;
  }
  audit_->Start();
  phase_ = Phase::kServing;
  Log(LogLevel::kInfo, "ready",
      {{"http_address", ingress_->address()},
       {"grpc_address", ListenAddress{config_.grpc_address.host, static_cast<uint16_t>(grpc_->port())}.ToString()},
       {"admin_address", admin_->address().ToString()},
       {"log_id", storage_.log->Info().log_id},
       {"last_sequence", storage_.log->Info().last.sequence},
       {"server_instance", instance_},
       {"version", Version()}});
  return absl::OkStatus();
}

absl::Status App::StartAdmin() {
  AdminHandlers handlers;
  handlers.liveness = [this](std::function<void(absl::Status)> done) { liveness_.Check(std::move(done)); };
  handlers.readiness = readiness_checks_ = ReadinessChecks();
  handlers.metrics = [this] { return MetricsText(); };
  AdminServerOptions options;
  options.tls = admin_tls_.get();
  auto admin = AdminServer::Start(config_.admin_address, std::move(handlers), options);
  if (!admin.ok()) return admin.status();
  admin_ = *std::move(admin);
  return absl::OkStatus();
}

std::vector<ReadinessCheck> App::ReadinessChecks() {
  return {
      {"server",
       [this] {
         switch (phase_.load()) {
           case Phase::kStarting:
             return absl::UnavailableError("starting");
           case Phase::kServing:
             return absl::OkStatus();
           case Phase::kDraining:
             break;
         }
         return absl::UnavailableError("stopping");
       }},
      {"storage",
       [this] {
         EventLog* const log = log_.load();
         return log == nullptr ? absl::UnavailableError("the log is not open") : log->Health();
       }},
  };
}

std::string App::MetricsText() {
  for (const ReadinessCheck& check : readiness_checks_) ops_metrics_.Ready(check.name, check.check().ok());
  if (EventLog* const log = log_.load(); log != nullptr) {
    log_metrics_.Refresh(log->Info(), storage_.quarantine->Info(),
                         config_.log == LogKind::kSqlite ? DataDirSpace(config_.data_dir) : std::nullopt);
  }
  return metrics_.Text();
}

absl::Status App::OpenLog() {
  StorageOptions options;
  options.log = config_.log == LogKind::kSqlite ? "sqlite" : "memory";
  options.data_dir = config_.data_dir;
  options.metrics = &log_metrics_;
  options.allow_network_filesystem = config_.allow_network_filesystem;
  options.max_quarantined_webhooks = config_.max_quarantined_webhooks;
  options.on_fatal = [this](const absl::Status& status) {
    Log(LogLevel::kError, "the log has failed; stopping, the next start recovers", {{"error", status}});
    absl::MutexLock lock(&mutex_);
    log_failed_ = true;
    stop_requested_ = true;
  };
  absl::StatusOr<Storage> storage = OpenStorageUnlessStopped(options);
  if (!storage.ok()) return storage.status();
  storage_ = *std::move(storage);
  fan_out_.Start(*storage_.log);
  history_ = std::make_unique<HistoryReader>(*storage_.log, static_cast<int>(config_.history_threads));
  rpc_metrics_->LogOpened(*storage_.log, *history_, *storage_.positions);
  publisher_ = std::make_unique<Publisher>(*storage_.log, *storage_.quarantine, *history_);
  audit_ = std::make_unique<LossAudit>(
      metrics_.registry(), LossAudit::Parts{*storage_.log, *history_, streams_, publisher_->appends(), promotions_,
                                            [this] { return ingress_metrics_.AcceptedAnswers(); }});
  log_ = storage_.log.get();
  StartRetention();
  StartBackups();
  return absl::OkStatus();
}

absl::StatusOr<Storage> App::OpenStorageUnlessStopped(const StorageOptions& options) {
  {
    absl::MutexLock lock(&mutex_);
    if (stop_requested_) return absl::CancelledError("a stop was asked for while starting");
    opening_log_ = true;
  }
  Log(LogLevel::kInfo, "opening the log", {{"log", options.log}, {"data_dir", options.data_dir}});
  absl::StatusOr<Storage> storage = OpenStorage(options);
  absl::MutexLock lock(&mutex_);
  opening_log_ = false;
  return storage;
}

void App::StartBackups() {
  if (config_.backup_interval == absl::ZeroDuration()) return;
  BackupSchedule::Options options;
  options.database = LogDatabasePath(config_.data_dir);
  options.log_id = storage_.log->Info().log_id;
  options.folder = config_.backup_dir;
  options.interval = config_.backup_interval;
  options.keep = config_.backup_keep;
  backups_ = std::make_unique<BackupSchedule>(metrics_.registry(), std::move(options));
  backups_->Start();
}

void App::StartRetention() {
  expired_events_ = std::make_unique<ExpiredEvents>(metrics_.registry(), *storage_.positions);
  Retention::Options options;
  options.age = config_.retention_age;
  options.max_bytes = config_.retention_bytes;
  options.dedupe_age = config_.dedupe_age;
  options.metrics = &log_metrics_;
  log_metrics_.RetentionAge(config_.retention_age);
  options.trimmed = [this](absl::Span<const TrimmedEvent> events) { expired_events_->Add(events); };
  retention_ = std::make_unique<Retention>(*storage_.log, std::move(options));
  retention_->Start();
}

absl::Status App::StartGrpc() {
  GrpcServer::Options options;
  options.address = config_.grpc_address;
  options.threads = ThreadsOr(config_.grpc_threads);
  options.reflection = config_.grpc_reflection;
  options.max_streams = config_.max_streams;
  options.max_streams_per_peer = config_.max_streams_per_peer;
  options.max_connections =
      ConnectionLimit("--max_grpc_connections", config_.max_grpc_connections, GrpcAcceptor::kDescriptorsPerConnection);
  options.max_connections_per_peer = config_.max_grpc_connections_per_peer;
  options.write_stall_timeout = config_.write_stall_timeout;
  options.max_stream_age =
      config_.max_stream_age == absl::ZeroDuration() ? absl::InfiniteDuration() : config_.max_stream_age;
  options.server_instance = instance_;
  options.server_version = std::string(Version());
  options.tls = grpc_tls_.get();
  options.require_client_certificate = config_.grpc_tls_require_client_cert;
  auto server =
      GrpcServer::Start(options, {*storage_.log, *storage_.positions, *storage_.quarantine, fan_out_, *history_,
                                  promotions_, streams_, *rpc_metrics_, access_, Clock::System(), ParseWebhook});
  if (!server.ok()) return server.status();
  grpc_ = *std::move(server);
  WatchAccessPolicy();
  if (service_accounts_ != nullptr) service_accounts_->Follow(*watcher_, [this] { grpc_->PolicyChanged(); });
  liveness_.SetAddress({config_.grpc_address.host, static_cast<uint16_t>(grpc_->port())}, grpc_tls_ != nullptr,
                       [this](uint16_t source_port) { grpc_->ExpectProbe(source_port); });
  return absl::OkStatus();
}

size_t App::ConnectionLimit(const char* flag, size_t asked, uint64_t descriptors) const {
  // Half for each port: the log, too, needs descriptors, so strangers' connections must not take them all.
  const uint64_t share = open_file_limit_ > 2 * kOtherDescriptors ? (open_file_limit_ - kOtherDescriptors) / 2 : 128;
  const uint64_t room = share / descriptors;
  if (open_file_limit_ == 0 || asked <= room) return asked;
  Log(LogLevel::kWarning, "fewer connections than the flag says, because of the limit of open files",
      {{"flag", flag}, {"connections", room}, {"open_files", open_file_limit_}});
  return static_cast<size_t>(room);
}

absl::Status App::StartIngress() {
  HttpOptions options;
  options.limits.body_bytes = config_.max_body_bytes;
  options.threads = ThreadsOr(config_.http_threads);
  options.max_connections = ConnectionLimit("--max_http_connections", config_.max_http_connections, 1);
  options.max_connections_per_peer = config_.max_http_connections_per_peer;
  options.answer_timeout = config_.commit_timeout;
  options.tls = http_tls_.get();
  ingress_ = std::make_unique<Ingress>(
      options, static_cast<double>(config_.max_webhooks_per_second),
      WebhookHandler::Parts{credentials_, *publisher_, ingress_metrics_, Clock::System()}, ParseWebhook);
  return ingress_->Start(config_.http_address);
}

void App::RequestStop() {
  absl::MutexLock lock(&mutex_);
  stop_requested_ = true;
  if (opening_log_) {
    Log(LogLevel::kInfo, "stopped while the log was being opened");
    _exit(0);
  }
}

bool App::StopRequested() {
  absl::MutexLock lock(&mutex_);
  return stop_requested_;
}

int App::Run() {
  WaitForStop(absl::InfiniteDuration());
  Stop();
  absl::MutexLock lock(&mutex_);
  return log_failed_ ? 1 : 0;
}

void App::WaitForStop(absl::Duration longest) {
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&stop_requested_), longest);
}

void App::Stop() {
  phase_ = Phase::kDraining;
  bool log_failed = false;
  {
    absl::MutexLock lock(&mutex_);
    // Endpoints leave meanwhile; a log that fails ends the wait, because nothing can be taken any more.
    if (!log_failed_) mutex_.AwaitWithTimeout(absl::Condition(&log_failed_), config_.drain_delay);
    log_failed = log_failed_;
  }
  Log(LogLevel::kInfo, "draining");
  const absl::Time deadline = absl::Now() + (log_failed ? kStopAfterFailure : config_.drain_timeout);
  ingress_->StartDraining();
  publisher_->StartDraining();
  grpc_->Drain(kReconnectAfterDrain);
  if (service_accounts_ != nullptr) service_accounts_->Stop();
  // Side by side: a slow sender must not use up the time of the streams.
  std::thread stop_grpc([this, deadline] {
    audit_->Stop();  // before the history threads, which it uses
    grpc_->Stop(deadline);
  });
  const bool requests_finished = ingress_->Stop(deadline);
  stop_grpc.join();
  history_->Stop();
  retention_->Stop();
  if (backups_ != nullptr) backups_->Stop();
  audit_->CompareIntake();  // once more, now that nothing is in flight
  const absl::Status closed = storage_.log->Close(std::max(deadline, absl::Now() + kLogCloseTimeout));
  log_ = nullptr;
  admin_.reset();
  Log(closed.ok() ? LogLevel::kInfo : LogLevel::kError, "stopped",
      {{"requests_finished", requests_finished}, {"log_closed", closed.ok() ? std::string("OK") : closed.ToString()}});
}

}  // namespace refund_relay
