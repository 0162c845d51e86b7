#include "server/config.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "server/config_flags.h"
#include "server/ops/http_client.h"
#include "server/ops/version.h"

namespace refund_relay {
namespace {

constexpr char kVariablePrefix[] = "REFUND_RELAY_";
// These look like what Kubernetes sets for Services, and are not.
constexpr char kVariablesOfServiceAccounts[] = "REFUND_RELAY_SERVICE_ACCOUNT_";
constexpr int kUsageExitCode = 2;
// Where refundctl finds the server: of no concern here, but often set in the same environment.
constexpr std::string_view kVariableOfRefundctl = "REFUND_RELAY_ADDRESS";

// Reads flags and variables into a Config and remembers all that is wrong.
class ConfigReader {
 public:
  explicit ConfigReader(Config& config) : config_(config) {}

  void ReadVariables(const std::map<std::string, std::string>& environment) {
    std::map<std::string, std::string> unknown;
    for (const auto& [name, value] : environment) {
      if (absl::StartsWith(name, kVariablePrefix) && name != kVariableOfRefundctl) unknown.emplace(name, value);
    }
    for (const auto& flag : ConfigFlags()) {
      const auto variable = unknown.extract(flag.VariableName());
      if (!variable.empty() && !variable.mapped().empty()) Set(flag, variable.key(), variable.mapped());
    }
    for (const auto& [name, value] : unknown) {
      // Kubernetes sets REFUND_RELAY_SERVICE_HOST, REFUND_RELAY_PORT_8080_TCP and the like for a Service of our name.
      if (absl::StrContains(name, "_PORT")) continue;
      if (absl::StrContains(name, "_SERVICE_") && !absl::StartsWith(name, kVariablesOfServiceAccounts)) continue;
      config_.warnings.push_back(
          absl::StrCat("the environment variable ", name, " names no setting and has no effect"));
    }
  }

  void ReadArguments(absl::Span<const std::string> arguments) {
    const size_t count = arguments.size();
    while (!arguments.empty()) {
      std::string_view text = arguments.front();
      arguments.remove_prefix(1);
      if (text.size() < 2 || text[0] != '-') {
        // Not repeated: it may be a secret that someone gave to a flag that does not exist.
        Wrong(absl::StrCat("argument ", count - arguments.size(), " is not a flag; see --help"));
        continue;
      }
      text.remove_prefix(text[1] == '-' ? 2 : 1);
      const size_t equals = text.find('=');
      ReadFlag(std::string(text.substr(0, equals)),
               equals == std::string_view::npos ? std::nullopt : std::optional(std::string(text.substr(equals + 1))),
               arguments);
    }
  }

  void Wrong(std::string what) { problems_.push_back(std::move(what)); }

  const std::vector<std::string>& problems() const { return problems_; }

 private:
  // `rest` gives the value of `--name value`.
  void ReadFlag(const std::string& name, std::optional<std::string> value, absl::Span<const std::string>& rest) {
    const ConfigFlag* flag = FindConfigFlag(name);
    if (flag == nullptr && !value.has_value() && absl::StartsWith(name, "no")) {
      flag = FindConfigFlag(name.substr(2));
      if (flag != nullptr && flag->is_bool) return Set(*flag, "--" + name, "false");
      flag = nullptr;
    }
    if (flag == nullptr) {
      const std::string underscored = absl::StrReplaceAll(name, {{"-", "_"}});
      return Wrong(absl::StrCat("--", name, ": there is no such flag; ",
                                FindConfigFlag(underscored) != nullptr
                                    ? absl::StrCat("did you mean --", underscored, "?")
                                    : "--help lists them"));
    }
    if (!value.has_value() && flag->is_bool) value = "true";
    if (!value.has_value() && !rest.empty()) {
      value = rest.front();
      rest.remove_prefix(1);
    }
    if (!value.has_value()) return Wrong(absl::StrCat("--", name, ": the value is missing; give ", flag->accepts));
    Set(*flag, "--" + name, *value);
  }

  void Set(const ConfigFlag& flag, const std::string& source, const std::string& value) {
    if (!flag.set(value, config_)) {
      Wrong(absl::StrCat(source, ": \"", value, "\" is not accepted; give ", flag.accepts));
    }
  }

  Config& config_;
  std::vector<std::string> problems_;
};

// A door's certificate and key come together.
void CheckTlsPair(const std::string& door, const std::string& cert_file, const std::string& key_file,
                  ConfigReader& reader) {
  if (cert_file.empty() == key_file.empty()) return;
  const std::string given = absl::StrCat("--", door, "_tls_", cert_file.empty() ? "key" : "cert", "_file");
  const std::string missing = absl::StrCat("--", door, "_tls_", cert_file.empty() ? "cert" : "key", "_file");
  reader.Wrong(absl::StrCat(missing, ": not set; TLS needs a certificate and its key, so give it beside ", given,
                            ", or leave both out"));
}

// Tokens of service accounts need a whole set of settings: half of one would accept nobody, or too many.
void CheckServiceAccounts(const Config& config, ConfigReader& reader) {
  const bool file = !config.service_account_jwks_file.empty();
  const bool url = !config.service_account_jwks_url.empty();
  if (config.service_account_issuer.empty()) {
    for (const auto& [name, value] : {std::pair("jwks_file", &config.service_account_jwks_file),
                                      std::pair("jwks_url", &config.service_account_jwks_url),
                                      std::pair("jwks_ca_file", &config.service_account_jwks_ca_file),
                                      std::pair("jwks_token_file", &config.service_account_jwks_token_file)}) {
      if (value->empty()) continue;
      reader.Wrong(
          absl::StrCat("--service_account_", name,
                       ": tokens are accepted of one issuer only; give --service_account_issuer too (the `iss` "
                       "of a token; `kubectl get --raw /.well-known/openid-configuration` tells it)"));
    }
    return;
  }
  if (file == url) {
    reader.Wrong(
        "--service_account_issuer: its keys must come from one place; give either --service_account_jwks_file or "
        "--service_account_jwks_url");
  }
  if (config.access_policy_file.empty()) {
    reader.Wrong(
        "--service_account_issuer: without a policy everyone may do everything; give --access_policy_file, whose "
        "`service_accounts` say which account is which subscriber");
  }
  if (url) {
    const absl::StatusOr<HttpUrl> parsed = ParseHttpUrl(config.service_account_jwks_url);
    if (!parsed.ok()) reader.Wrong(absl::StrCat("--service_account_jwks_url: ", parsed.status().message()));
    if (parsed.ok() && !parsed->tls) {
      reader.Wrong("--service_account_jwks_url: it must be https, or anybody on the way could put in a key");
    }
    return;
  }
  for (const auto& [name, value] : {std::pair("ca", &config.service_account_jwks_ca_file),
                                    std::pair("token", &config.service_account_jwks_token_file)}) {
    if (value->empty()) continue;
    reader.Wrong(absl::StrCat("--service_account_jwks_", name,
                              "_file: it is for --service_account_jwks_url only; give that, or leave it out"));
  }
}

// What no flag can tell by itself.
void CheckTogether(Config& config, ConfigReader& reader) {
  if (config.webhook_secret_files.empty() && config.webhook_basic_files.empty()) {
    reader.Wrong(
        "--webhook_secret_files: no webhook credentials are configured, so no webhook could be told from a forged one; "
        "name a file that holds the webhook secret (or --webhook_basic_files, one with user:password)");
  }
  if (config.log == LogKind::kSqlite && config.data_dir.empty()) {
    reader.Wrong(
        "--data_dir: not set; name the folder that shall hold the log, such as /var/lib/refund-relay (it is created if "
        "missing), or store nothing with --log=memory");
  }
  if (config.log == LogKind::kMemory) {
    config.warnings.emplace_back("--log=memory: every event is lost when the server stops");
    if (!config.data_dir.empty()) config.warnings.emplace_back("--data_dir has no effect with --log=memory");
  }
  if (config.backup_interval > absl::ZeroDuration() && config.backup_dir.empty()) {
    reader.Wrong("--backup_dir: not set; name the folder for the backups of --backup_interval");
  }
  if (config.backup_interval > absl::ZeroDuration() && config.log == LogKind::kMemory) {
    reader.Wrong("--backup_interval: nothing can be backed up with --log=memory; use --log=sqlite, or leave it out");
  }
  if (config.backup_interval == absl::ZeroDuration() && !config.backup_dir.empty()) {
    config.warnings.emplace_back("--backup_dir has no effect without --backup_interval");
  }
  CheckTlsPair("grpc", config.grpc_tls_cert_file, config.grpc_tls_key_file, reader);
  CheckTlsPair("http", config.http_tls_cert_file, config.http_tls_key_file, reader);
  CheckTlsPair("admin", config.admin_tls_cert_file, config.admin_tls_key_file, reader);
  CheckServiceAccounts(config, reader);
  if (!config.grpc_tls_client_ca_file.empty() && config.grpc_tls_cert_file.empty()) {
    reader.Wrong(
        "--grpc_tls_client_ca_file: client certificates need TLS; give --grpc_tls_cert_file and --grpc_tls_key_file "
        "too");
  }
  if (!config.grpc_address.IsLoopback() && config.access_policy_file.empty()) {
    config.warnings.emplace_back(
        "--access_policy_file is not set: whoever gets into --grpc_address may see and do everything");
  }
  if (!config.grpc_address.IsLoopback() && config.grpc_tls_cert_file.empty() && !config.access_policy_file.empty()) {
    config.warnings.emplace_back(
        "--allow_insecure_grpc: bearer tokens of --access_policy_file come in plain text; who reads along has them");
  }
  if (!config.grpc_tls_require_client_cert && config.grpc_tls_client_ca_file.empty()) {
    config.warnings.emplace_back(
        "--nogrpc_tls_require_client_cert has no effect without --grpc_tls_client_ca_file: nobody is asked for a "
        "certificate");
  }
  if (!config.grpc_tls_require_client_cert && !config.grpc_tls_client_ca_file.empty() &&
      config.access_policy_file.empty()) {
    reader.Wrong(
        "--grpc_tls_require_client_cert: false lets everyone in, with a certificate or without; give "
        "--access_policy_file, which says who may come by token, or leave it true");
  }
  if (!config.grpc_tls_cert_file.empty() && config.allow_insecure_grpc) {
    config.warnings.emplace_back("--allow_insecure_grpc has no effect with --grpc_tls_cert_file: gRPC speaks TLS only");
  }
  if (!config.grpc_address.IsLoopback() && config.grpc_tls_cert_file.empty() && !config.allow_insecure_grpc) {
    reader.Wrong(absl::StrCat("--grpc_address: ", config.grpc_address.ToString(),
                              " is reached by other machines, and gRPC is plain text without authentication; give "
                              "--grpc_tls_cert_file and --grpc_tls_key_file, listen on 127.0.0.1, or accept that with "
                              "--allow_insecure_grpc"));
  }
}

std::string HelpText() {
  std::string text =
      "refund-relay takes refund webhooks, stores them and streams them to subscribers over gRPC.\n\n"
      "Usage: refund-relay --data_dir=FOLDER --webhook_secret_files=FILE [flags]\n"
      "       refund-relay verify --help    checks a log or a backup\n"
      "       refund-relay backup --help    takes a backup beside a running server\n\n"
      "Each flag can also be set in the environment, --data_dir as REFUND_RELAY_DATA_DIR; the command line wins.\n"
      "Booleans: --name or --noname. Exit codes: 0 stopped in order, 1 failed, 2 wrong flags, 3 stopped at once by a\n"
      "second signal. SIGTERM or SIGINT stops it in order; SIGHUP reads credentials, certificates and policy again at\n"
      "once.\n\n"
      "Flags, with their defaults:\n";
  const Config defaults;
  for (const auto& flag : ConfigFlags()) {
    absl::StrAppend(&text, "  --", flag.name, "=", flag.show(defaults), "\n      ", flag.help, "\n      Give ",
                    flag.accepts, ".\n");
  }
  absl::StrAppend(&text, "  --help\n      Print this and exit.\n  --version\n      Print the version and exit.\n");
  return text;
}

std::map<std::string, std::string> ProcessEnvironment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string_view::npos) variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

}  // namespace

absl::StatusOr<Config> ParseConfig(absl::Span<const std::string> arguments,
                                   const std::map<std::string, std::string>& environment) {
  Config config;
  ConfigReader reader(config);
  reader.ReadVariables(environment);
  reader.ReadArguments(arguments);
  CheckTogether(config, reader);
  if (!reader.problems().empty()) return absl::InvalidArgumentError(absl::StrJoin(reader.problems(), "\n"));
  return config;
}

std::optional<std::string> RequestedText(absl::Span<const std::string> arguments) {
  for (const std::string& argument : arguments) {
    if (argument == "--help" || argument == "-help" || argument == "-h") return HelpText();
    if (argument == "--version" || argument == "-version") {
      return absl::StrCat("refund-relay ", std::string(Version()), "\n");
    }
  }
  return std::nullopt;
}

Config LoadConfigOrExit(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  if (const auto text = RequestedText(arguments)) {
    std::fputs(text->c_str(), stdout);
    std::exit(EXIT_SUCCESS);  // NOLINT(concurrency-mt-unsafe): no other thread runs yet
  }
  auto config = ParseConfig(arguments, ProcessEnvironment());
  if (!config.ok()) {
    const std::string problems = absl::StrReplaceAll(config.status().message(), {{"\n", "\nrefund-relay: "}});
    std::fputs(absl::StrCat("refund-relay: ", problems, "\n").c_str(), stderr);
    std::exit(kUsageExitCode);  // NOLINT(concurrency-mt-unsafe): no other thread runs yet
  }
  return *std::move(config);
}

}  // namespace refund_relay
