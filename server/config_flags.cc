#include "server/config_flags.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/flags/marshalling.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace refund_relay {
namespace {

constexpr absl::Duration kLongestAge = absl::Hours(24 * 365 * 100);
constexpr size_t kMostBackups = 10'000;
constexpr size_t kMaxThreads = 256;
constexpr size_t kMaxConnections = 1'000'000;
// An event must fit into the 4 MiB that gRPC clients take by default, and a webhook of many small unknown members grows
// fivefold, because each carries its path.
constexpr size_t kMaxBodyBytes = 512 << 10;
constexpr size_t kMinWindowBytes = 1 << 20;
constexpr size_t kMaxWindowBytes = size_t{16} << 30;
constexpr uint64_t kMaxWebhooksPerSecond = 1'000'000;

ConfigFlag Address(std::string name, ListenAddress Config::* field, std::string help) {
  return {.name = std::move(name),
          .help = std::move(help),
          .accepts =
              "an IP address or localhost, and a port, such as 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:8080; port 0 "
              "picks one",
          .set =
              [field](const std::string& text, Config& config) {
                const auto parsed = ParseListenAddress(text);
                if (parsed.ok()) config.*field = *parsed;
                return parsed.ok();
              },
          .show = [field](const Config& config) { return (config.*field).ToString(); }};
}

ConfigFlag Files(std::string name, std::vector<std::string> Config::* field, std::string help) {
  return {.name = std::move(name),
          .help = std::move(help),
          .accepts = "paths, separated by commas",
          .set =
              [field](const std::string& text, Config& config) {
                std::vector<std::string> files;
                for (const absl::string_view part : absl::StrSplit(text, ',')) {
                  const absl::string_view file = absl::StripAsciiWhitespace(part);
                  if (!file.empty()) files.emplace_back(file);
                }
                config.*field = std::move(files);
                return true;
              },
          .show = [field](const Config& config) { return absl::StrJoin(config.*field, ","); }};
}

// Any text but an empty one.
ConfigFlag Text(std::string name, std::string Config::* field, std::string help, std::string accepts) {
  return {.name = std::move(name),
          .help = std::move(help),
          .accepts = std::move(accepts),
          .set =
              [field](const std::string& text, Config& config) {
                config.*field = text;
                return !text.empty();
              },
          .show = [field](const Config& config) { return config.*field; }};
}

ConfigFlag File(std::string name, std::string Config::* field, std::string help) {
  return Text(std::move(name), field, std::move(help), "a path");
}

template <typename T>
ConfigFlag Number(const std::string& name, T Config::* field, T low, T high, const std::string& help) {
  return {.name = name,
          .help = help,
          .accepts = absl::StrCat("a whole number from ", low, " to ", high),
          .set =
              [field, low, high](const std::string& text, Config& config) {
                T value = 0;
                std::string error;
                // Abseil reads hexadecimal and, for unsigned numbers, a sign: only digits are meant here.
                if (!std::all_of(text.begin(), text.end(), absl::ascii_isdigit)) return false;
                if (!absl::ParseFlag(text, &value, &error) || value < low || value > high) return false;
                config.*field = value;
                return true;
              },
          .show = [field](const Config& config) { return absl::StrCat(config.*field); }};
}

ConfigFlag Time(std::string name, absl::Duration Config::* field, absl::Duration low, absl::Duration high,
                std::string help) {
  return {.name = std::move(name),
          .help = std::move(help),
          .accepts = absl::StrCat("a duration from ", absl::FormatDuration(low), " to ", absl::FormatDuration(high),
                                  ", such as 5s, 250ms or 1h30m"),
          .set =
              [field, low, high](const std::string& text, Config& config) {
                absl::Duration value;
                if (!absl::ParseDuration(text, &value) || value < low || value > high) return false;
                config.*field = value;
                return true;
              },
          .show = [field](const Config& config) { return absl::FormatDuration(config.*field); }};
}

ConfigFlag Bool(std::string name, bool Config::* field, std::string help) {
  return {.name = std::move(name),
          .help = std::move(help),
          .accepts = "true or false",
          .is_bool = true,
          .set =
              [field](const std::string& text, Config& config) {
                std::string error;
                return absl::ParseFlag(text, &(config.*field), &error);
              },
          .show = [field](const Config& config) { return config.*field ? "true" : "false"; }};
}

template <typename T>
ConfigFlag Choice(const std::string& name, T Config::* field, const std::vector<std::pair<std::string, T>>& choices,
                  const std::string& help) {
  const auto name_of = [](std::string* out, const std::pair<std::string, T>& choice) { out->append(choice.first); };
  return {.name = name,
          .help = help,
          .accepts = absl::StrCat("one of: ", absl::StrJoin(choices, ", ", name_of)),
          .set =
              [field, choices](const std::string& text, Config& config) {
                for (const auto& [choice, value] : choices) {
                  if (choice != text) continue;
                  config.*field = value;
                  return true;
                }
                return false;
              },
          .show =
              [field, choices](const Config& config) {
                for (const auto& [choice, value] : choices) {
                  if (value == config.*field) return choice;
                }
                return std::string();
              }};
}

std::vector<ConfigFlag> MakeFlags() {
  const auto positive = absl::Milliseconds(1);
  return {
      Address("http_address", &Config::http_address, "Where webhooks come in: POST /webhooks/refund."),
      Address("grpc_address", &Config::grpc_address,
              "Where subscribers come in. Off loopback it needs TLS, or --allow_insecure_grpc."),
      Address("admin_address", &Config::admin_address, "Where /livez, /readyz and /metrics are served."),
      {.name = "data_dir",
       .help = "The folder that holds the log; created if missing. One server at a time.",
       .accepts = "a path",
       .set =
           [](const std::string& text, Config& config) {
             config.data_dir = text;
             return !text.empty();
           },
       .show = [](const Config& config) { return config.data_dir; }},
      Choice("log", &Config::log, {{"sqlite", LogKind::kSqlite}, {"memory", LogKind::kMemory}},
             "What stores the events. memory is for trials: it loses all of them when the server stops."),
      Bool("allow_network_filesystem", &Config::allow_network_filesystem,
           "Accept a --data_dir on a network file system, whose syncs and locks are often not to be trusted."),
      Time("retention_age", &Config::retention_age, absl::ZeroDuration(), kLongestAge,
           "Events are deleted when they are so much older than the newest one; 0 = never."),
      Number<uint64_t>(
          "retention_bytes", &Config::retention_bytes, 0, std::numeric_limits<int64_t>::max(),
          "The oldest events are deleted while the log uses more than this, not counting remembered ids; 0 = no "
          "limit."),
      Time("dedupe_age", &Config::dedupe_age, absl::ZeroDuration(), kLongestAge,
           "A webhook that comes again is a duplicate for at least so long, while its event is stored always; 0 = for "
           "ever."),
      Time("backup_interval", &Config::backup_interval, absl::ZeroDuration(), kLongestAge,
           "How often a backup is taken into --backup_dir; 0 = never."),
      {.name = "backup_dir",
       .help = "The folder for backups, best on another disk; created if missing.",
       .accepts = "a path",
       .set =
           [](const std::string& text, Config& config) {
             config.backup_dir = text;
             return !text.empty();
           },
       .show = [](const Config& config) { return config.backup_dir; }},
      Number<size_t>("backup_keep", &Config::backup_keep, 1, kMostBackups,
                     "So many of the newest backups are kept; older ones are deleted."),
      Files("webhook_secret_files", &Config::webhook_secret_files,
            "Files with the secrets that sign webhooks, one a line; read again when they change."),
      Files(
          "webhook_basic_files", &Config::webhook_basic_files,
          "Files with user:password pairs for webhooks that use HTTP Basic, one a line; read again when they change."),
      Number<size_t>("max_body_bytes", &Config::max_body_bytes, 1, kMaxBodyBytes,
                     "A webhook with a larger body is answered 413."),
      Number<size_t>("max_http_connections", &Config::max_http_connections, 1, kMaxConnections,
                     "Most connections on --http_address at once."),
      Number<size_t>("max_http_connections_per_peer", &Config::max_http_connections_per_peer, 0, kMaxConnections,
                     "Most of them from one IP address (IPv6: one /64); 0 = three quarters of all. Behind a proxy that "
                     "is the proxy's."),
      Number<uint64_t>("max_webhooks_per_second", &Config::max_webhooks_per_second, 0, kMaxWebhooksPerSecond,
                       "More authentic webhooks are answered 429; 0 = no limit."),
      Number<size_t>("max_quarantined_webhooks", &Config::max_quarantined_webhooks, 1, kMaxConnections,
                     "Authentic webhooks that are no refund events are kept for a person to decide; when so many are, "
                     "more are answered 503."),
      Time("commit_timeout", &Config::commit_timeout, positive, absl::Minutes(10),
           "A webhook whose commit takes longer is answered 504."),
      Number<size_t>("http_threads", &Config::http_threads, 0, kMaxThreads,
                     "Threads that serve webhooks; 0 = one per core."),
      Number<size_t>("max_grpc_connections", &Config::max_grpc_connections, 1, kMaxConnections,
                     "Most connections on --grpc_address at once; each takes two of the process's open files."),
      Number<size_t>("max_grpc_connections_per_peer", &Config::max_grpc_connections_per_peer, 0, kMaxConnections,
                     "Most of them from one IP address (IPv6: one /64); 0 = three quarters of all. Behind a proxy that "
                     "is the proxy's."),
      Number<size_t>("max_streams", &Config::max_streams, 1, kMaxConnections, "Most Subscribe streams at once."),
      Number<size_t>("max_streams_per_peer", &Config::max_streams_per_peer, 0, kMaxConnections,
                     "Most of them from one IP address (IPv6: one /64); 0 = three quarters of all. Behind a proxy that "
                     "is the proxy's."),
      Time("write_stall_timeout", &Config::write_stall_timeout, positive, absl::Hours(1),
           "A subscriber that takes nothing for so long is cut off."),
      Time("max_stream_age", &Config::max_stream_age, absl::ZeroDuration(), absl::Hours(24 * 365),
           "A stream is asked to reconnect after so long; 0 = never."),
      Number<size_t>("live_window_bytes", &Config::live_window_bytes, kMinWindowBytes, kMaxWindowBytes,
                     "Memory for recent events; subscribers that fall behind it read from the log."),
      Number<size_t>("grpc_threads", &Config::grpc_threads, 0, kMaxThreads,
                     "Threads and completion queues of gRPC; 0 = one per core."),
      Number<size_t>("history_threads", &Config::history_threads, 1, kMaxThreads,
                     "Threads that read the log for subscribers that are behind."),
      Bool("grpc_reflection", &Config::grpc_reflection, "Serve gRPC server reflection."),
      {.name = "access_policy_file",
       .help =
           "Who may subscribe, and what each may see and do (JSON); read again when it changes. Unset: everyone, all.",
       .accepts = "a path",
       .set =
           [](const std::string& text, Config& config) {
             config.access_policy_file = text;
             return !text.empty();
           },
       .show = [](const Config& config) { return config.access_policy_file; }},
      Text("service_account_issuer", &Config::service_account_issuer,
           "Accept tokens of Kubernetes service accounts of this issuer, as `service_accounts` of the policy allow.",
           "the issuer exactly as in the tokens' `iss`"),
      Text("service_account_audience", &Config::service_account_audience,
           "The audience for which those tokens must be made.", "one of the tokens' `aud`"),
      File("service_account_jwks_file", &Config::service_account_jwks_file,
           "The issuer's public keys, a JSON Web Key Set. Read again when it changes."),
      Text("service_account_jwks_url", &Config::service_account_jwks_url,
           "Where to fetch that set instead, again every 5 minutes and when a token names an unknown key.",
           "an https URL, such as https://kubernetes.default.svc/openid/v1/jwks"),
      File(
          "service_account_jwks_ca_file", &Config::service_account_jwks_ca_file,
          "PEM certificates of authorities: one of them has signed the URL's server. Unset: the system's. Read at each "
          "fetch."),
      File("service_account_jwks_token_file", &Config::service_account_jwks_token_file,
           "A bearer token to send with each fetch, such as this server's own service account token. Read at each "
           "fetch."),
      Bool("allow_insecure_grpc", &Config::allow_insecure_grpc,
           "Serve gRPC in plain text on an address that other machines reach."),
      File("grpc_tls_cert_file", &Config::grpc_tls_cert_file,
           "The PEM certificate of --grpc_address, with its chain: gRPC speaks TLS. Read again when it changes."),
      File("grpc_tls_key_file", &Config::grpc_tls_key_file,
           "The PEM key of --grpc_tls_cert_file. Read again when it changes."),
      File("grpc_tls_client_ca_file", &Config::grpc_tls_client_ca_file,
           "PEM certificates of authorities: subscribers must show a certificate of one of them. Read again when it "
           "changes."),
      Bool("grpc_tls_require_client_cert", &Config::grpc_tls_require_client_cert,
           "With --grpc_tls_client_ca_file: whether a subscriber must show a certificate. False: it may show a bearer "
           "token of --access_policy_file instead; a certificate that it shows is verified all the same."),
      File("http_tls_cert_file", &Config::http_tls_cert_file,
           "The PEM certificate of --http_address, with its chain: webhooks come over HTTPS. Read again when it "
           "changes."),
      File("http_tls_key_file", &Config::http_tls_key_file,
           "The PEM key of --http_tls_cert_file. Read again when it changes."),
      File("admin_tls_cert_file", &Config::admin_tls_cert_file,
           "The PEM certificate of --admin_address, with its chain: it speaks HTTPS. Read again when it changes."),
      File("admin_tls_key_file", &Config::admin_tls_key_file,
           "The PEM key of --admin_tls_cert_file. Read again when it changes."),
      Time("drain_delay", &Config::drain_delay, absl::ZeroDuration(), absl::Minutes(10),
           "On SIGTERM: how long to go on serving, not ready, while load balancers take notice."),
      Time("drain_timeout", &Config::drain_timeout, positive, absl::Minutes(10),
           "Then: how long requests and streams have to finish."),
      Bool("allow_core_dumps", &Config::allow_core_dumps,
           "Leave core dumps and debuggers as the system has them. Memory holds secrets and personal data, so both are "
           "off by default."),
      Choice("log_level", &Config::log_level,
             {{"debug", LogLevel::kDebug},
              {"info", LogLevel::kInfo},
              {"warning", LogLevel::kWarning},
              {"error", LogLevel::kError}},
             "The least level of log lines on stderr."),
  };
}

}  // namespace

std::string ConfigFlag::VariableName() const { return absl::StrCat("REFUND_RELAY_", absl::AsciiStrToUpper(name)); }

const std::vector<ConfigFlag>& ConfigFlags() {
  static const auto& flags = *new std::vector<ConfigFlag>(MakeFlags());
  return flags;
}

const ConfigFlag* FindConfigFlag(std::string_view name) {
  for (const auto& flag : ConfigFlags()) {
    if (flag.name == name) return &flag;
  }
  return nullptr;
}

}  // namespace refund_relay
