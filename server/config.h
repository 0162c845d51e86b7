// Config: what the flags and the environment say, checked.
#ifndef REFUND_RELAY_SERVER_CONFIG_H_
#define REFUND_RELAY_SERVER_CONFIG_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/ops/listen_address.h"
#include "server/ops/logging.h"

namespace refund_relay {

enum class LogKind { kSqlite, kMemory };

// One field a flag, of the same name; server/config_flags.cc says what each means and which values it takes. Durations
// are finite.
struct Config {
  ListenAddress http_address{"127.0.0.1", 8080};
  ListenAddress grpc_address{"127.0.0.1", 50051};
  ListenAddress admin_address{"127.0.0.1", 8081};

  std::string data_dir;  // never empty with kSqlite
  LogKind log = LogKind::kSqlite;
  bool allow_network_filesystem = false;
  absl::Duration retention_age = absl::Hours(24 * 30);    // zero = for ever
  uint64_t retention_bytes = 0;                           // 0 = no limit
  absl::Duration dedupe_age = absl::ZeroDuration();       // zero = for ever
  absl::Duration backup_interval = absl::ZeroDuration();  // zero = never
  std::string backup_dir;                                 // never empty with an interval
  size_t backup_keep = 7;

  std::vector<std::string> webhook_secret_files;  // at least one file here or in the next: fail closed
  std::vector<std::string> webhook_basic_files;

  size_t max_body_bytes = 65536;
  size_t max_http_connections = 4096;
  size_t max_http_connections_per_peer = 0;  // 0 = three quarters of the above
  size_t max_quarantined_webhooks = 10'000;
  uint64_t max_webhooks_per_second = 0;  // 0 = no limit
  absl::Duration commit_timeout = absl::Seconds(5);
  size_t http_threads = 0;  // 0 = one per core

  size_t max_grpc_connections = 16384;
  size_t max_grpc_connections_per_peer = 0;  // 0 = three quarters of the above
  size_t max_streams = 10000;
  size_t max_streams_per_peer = 0;  // likewise
  absl::Duration write_stall_timeout = absl::Seconds(30);
  absl::Duration max_stream_age = absl::Hours(1);  // zero = no limit
  size_t live_window_bytes = 64 << 20;
  size_t grpc_threads = 0;  // 0 = one per core
  size_t history_threads = 2;
  bool grpc_reflection = true;
  bool allow_insecure_grpc = false;
  std::string access_policy_file;  // empty = everyone may do everything

  // Tokens of Kubernetes service accounts; with an issuer exactly one of file and URL is set, without one none.
  std::string service_account_issuer;
  std::string service_account_audience = "refund-relay";  // never empty
  std::string service_account_jwks_file;
  std::string service_account_jwks_url;  // https
  std::string service_account_jwks_ca_file;
  std::string service_account_jwks_token_file;

  // A certificate has its key; clients' authorities come with a certificate. Empty: plain text.
  std::string grpc_tls_cert_file;
  std::string grpc_tls_key_file;
  std::string grpc_tls_client_ca_file;
  bool grpc_tls_require_client_cert = true;
  std::string http_tls_cert_file;
  std::string http_tls_key_file;
  std::string admin_tls_cert_file;
  std::string admin_tls_key_file;

  absl::Duration drain_delay = absl::Seconds(5);
  absl::Duration drain_timeout = absl::Seconds(20);
  bool allow_core_dumps = false;
  LogLevel log_level = LogLevel::kInfo;

  // Not wrong, but worth a line in the log: settings without effect, variables that look like a mistyped setting.
  std::vector<std::string> warnings;
};

// Reads the settings. `arguments` are those after the program's name, in Abseil's syntax: `--name=value`, `--name
// value`,
// `--name` and `--noname` for booleans, one dash or two; the last one counts. `environment` holds REFUND_RELAY_<FLAG>;
// the command line wins over it, and an empty variable counts as not set. Pure.
//
// INVALID_ARGUMENT names every wrong flag or variable, one a line, and what is accepted.
absl::StatusOr<Config> ParseConfig(absl::Span<const std::string> arguments,
                                   const std::map<std::string, std::string>& environment);

// What to print instead of serving, if `arguments` ask for --help or --version.
std::optional<std::string> RequestedText(absl::Span<const std::string> arguments);

// ParseConfig on the process's own arguments and environment. Prints the help or the version and exits 0, or prints
// what is wrong and exits 2. Call it before any thread starts.
Config LoadConfigOrExit(int argc, char** argv);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_CONFIG_H_
