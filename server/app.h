// App: owns every part and thread of the server, and the order in which they start and stop.
#ifndef REFUND_RELAY_SERVER_APP_H_
#define REFUND_RELAY_SERVER_APP_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "server/config.h"
#include "server/identity/service_accounts.h"
#include "server/ingress/credential_store.h"
#include "server/ingress/ingress.h"
#include "server/ingress/ingress_metrics.h"
#include "server/log/log_metrics.h"
#include "server/log/open_storage.h"
#include "server/log/retention.h"
#include "server/maintenance/backup_schedule.h"
#include "server/ops/admin_server.h"
#include "server/ops/file_watcher.h"
#include "server/ops/grpc_liveness.h"
#include "server/ops/metrics.h"
#include "server/ops/ops_metrics.h"
#include "server/ops/tls_store.h"
#include "server/rpc/access_control.h"
#include "server/rpc/expired_events.h"
#include "server/rpc/grpc_server.h"
#include "server/rpc/loss_audit.h"
#include "server/rpc/rpc_metrics.h"
#include "server/rpc/stream_registry.h"
#include "server/stream/fan_out.h"
#include "server/stream/history_reader.h"
#include "server/stream/publisher.h"

namespace refund_relay {

// One server. `Start` and `Run` are called by one thread, the requests by any.
class App {
 public:
  explicit App(Config config);
  ~App();

  // Opens the log, then the doors; logs one line `ready` with the addresses. The errors name setting and way out;
  // CANCELLED when a stop was asked for meanwhile.
  absl::Status Start();

  // Serves until a stop is asked for or the log fails, then stops in order: not ready, drain delay, refuse what is new,
  // going_away, finish, close the log. Returns the exit code: 0, or 1 when the log failed.
  int Run();

  // Asks for the orderly stop; does not wait. While the log is being opened, which may take long and cannot be
  // interrupted, it ends the process with exit code 0: nothing was taken in yet, and the next opening begins anew.
  void RequestStop();
  // Has watched files read again soon.
  void RequestReload() { watcher_->RequestCheck(); }

 private:
  enum class Phase { kStarting, kServing, kDraining };

  absl::Status LoadCredentials();
  absl::Status LoadAccessPolicy();
  absl::Status LoadCredentialFile(const std::string& path);
  absl::Status LoadCertificates();
  absl::Status LoadServiceAccountKeys();
  std::unique_ptr<ServiceAccounts> MakeServiceAccounts();
  std::unique_ptr<TlsStore> MakeTlsStore(const std::string& door, const TlsFiles& files);
  absl::Status StartAdmin();
  absl::Status OpenLog();
  void StartRetention();
  void StartBackups();
  absl::Status StartGrpc();
  void WatchAccessPolicy();
  absl::Status StartIngress();
  absl::StatusOr<Storage> OpenStorageUnlessStopped(const StorageOptions& options);
  void OnAccessPolicy(const absl::StatusOr<std::string>& content);
  void OnCredentialFile(const std::string& path, const absl::StatusOr<std::string>& content);
  std::vector<ReadinessCheck> ReadinessChecks();
  std::string MetricsText();
  // `asked`, or less if connections of `descriptors` each would take more than their share of the open files.
  size_t ConnectionLimit(const char* flag, size_t asked, uint64_t descriptors) const;
  bool StopRequested();
  // Waits until a stop is asked for; at most `longest`.
  void WaitForStop(absl::Duration longest);
  void Stop();

  const Config config_;
  const std::string instance_;
  uint64_t open_file_limit_ = 0;
  std::atomic<Phase> phase_ = Phase::kStarting;

  absl::Mutex mutex_;
  bool stop_requested_ ABSL_GUARDED_BY(mutex_) = false;
  bool log_failed_ ABSL_GUARDED_BY(mutex_) = false;
  bool opening_log_ ABSL_GUARDED_BY(mutex_) = false;

  // In the order of their dependencies; destroyed the other way round.
  Metrics metrics_;
  OpsMetrics ops_metrics_;
  LogMetrics log_metrics_;
  IngressMetrics ingress_metrics_;
  CredentialStore credentials_;
  std::unique_ptr<TlsStore> grpc_tls_;  // null: plain text
  std::unique_ptr<TlsStore> http_tls_;
  std::unique_ptr<TlsStore> admin_tls_;
  std::unique_ptr<ServiceAccounts> service_accounts_;  // null: their tokens are not accepted
  AccessControl access_;
  FileState access_policy_;  // of the file at start; unused without one
  FanOut fan_out_;
  StreamRegistry streams_;
  std::shared_ptr<RpcMetrics> rpc_metrics_;
  Storage storage_;
  // What the admin port may ask while the rest starts and stops.
  std::atomic<EventLog*> log_ = nullptr;
  std::unique_ptr<ExpiredEvents> expired_events_;
  std::unique_ptr<Retention> retention_;
  std::unique_ptr<BackupSchedule> backups_;  // null unless asked for
  std::unique_ptr<HistoryReader> history_;
  std::unique_ptr<Publisher> publisher_;
  AppendCount promotions_;
  std::unique_ptr<LossAudit> audit_;
  std::unique_ptr<GrpcServer> grpc_;
  std::unique_ptr<Ingress> ingress_;
  GrpcLiveness liveness_;
  std::vector<ReadinessCheck> readiness_checks_;  // constant once the admin server runs
  std::unique_ptr<AdminServer> admin_;
  std::unique_ptr<FileWatcher> watcher_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_APP_H_
