// Settings: flags, variables, what is refused and how that is told.
#include "server/config.h"

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/config_flags.h"
#include "server/ops/version.h"

namespace refund_relay {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;

using Arguments = std::vector<std::string>;
using Environment = std::map<std::string, std::string>;

// What every server needs, and then `more`.
Arguments With(Arguments more) {
  more.insert(more.begin(), {"--data_dir=/data", "--webhook_secret_files=/secret"});
  return more;
}

Config Parsed(const Arguments& arguments, const Environment& environment = {}) {
  auto config = ParseConfig(arguments, environment);
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? *std::move(config) : Config();
}

// The error; the test fails if there is none.
std::string Refusal(const Arguments& arguments, const Environment& environment = {}) {
  const auto config = ParseConfig(arguments, environment);
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(config.status().message());
}

TEST(ConfigTest, DefaultsAreThoseOfTheContract) {
  const Config config = Parsed(With({}));
  EXPECT_EQ(config.http_address.ToString(), "127.0.0.1:8080");
  EXPECT_EQ(config.grpc_address.ToString(), "127.0.0.1:50051");
  EXPECT_EQ(config.admin_address.ToString(), "127.0.0.1:8081");
  EXPECT_EQ(config.log, LogKind::kSqlite);
  EXPECT_EQ(config.max_body_bytes, 65536u);
  EXPECT_EQ(config.max_http_connections, 4096u);
  EXPECT_EQ(config.max_webhooks_per_second, 0u);
  EXPECT_EQ(config.commit_timeout, absl::Seconds(5));
  EXPECT_EQ(config.max_http_connections_per_peer, 0u);
  EXPECT_EQ(config.max_grpc_connections, 16384u);
  EXPECT_EQ(config.max_grpc_connections_per_peer, 0u);
  EXPECT_EQ(config.max_streams, 10000u);
  EXPECT_EQ(config.max_streams_per_peer, 0u);
  EXPECT_EQ(config.write_stall_timeout, absl::Seconds(30));
  EXPECT_EQ(config.drain_delay, absl::Seconds(5));
  EXPECT_EQ(config.drain_timeout, absl::Seconds(20));
  EXPECT_TRUE(config.grpc_reflection);
  EXPECT_FALSE(config.allow_insecure_grpc);
  EXPECT_FALSE(config.allow_core_dumps);
  EXPECT_THAT(config.warnings, IsEmpty());
}

TEST(ConfigTest, ReadsEveryFlag) {
  const Config config = Parsed({"--http_address=0.0.0.0:1",
                                "--grpc_address=[::1]:2",
                                "--admin_address=127.0.0.2:3",
                                "--data_dir=/d",
                                "--log=sqlite",
                                "--allow_network_filesystem",
                                "--webhook_secret_files=/a, /b,",
                                "--webhook_basic_files=/c",
                                "--max_body_bytes=4",
                                "--max_http_connections=5",
                                "--max_webhooks_per_second=6",
                                "--commit_timeout=7ms",
                                "--http_threads=8",
                                "--max_streams=9",
                                "--max_http_connections_per_peer=31",
                                "--max_grpc_connections=32",
                                "--max_grpc_connections_per_peer=33",
                                "--max_streams_per_peer=34",
                                "--write_stall_timeout=10s",
                                "--max_stream_age=11h",
                                "--live_window_bytes=12000000",
                                "--grpc_threads=13",
                                "--history_threads=14",
                                "--nogrpc_reflection",
                                "--allow_insecure_grpc",
                                "--drain_delay=0",
                                "--drain_timeout=1m15s",
                                "--allow_core_dumps",
                                "--log_level=debug"});
  EXPECT_EQ(config.http_address, (ListenAddress{"0.0.0.0", 1}));
  EXPECT_EQ(config.grpc_address, (ListenAddress{"::1", 2}));
  EXPECT_EQ(config.admin_address, (ListenAddress{"127.0.0.2", 3}));
  EXPECT_EQ(config.data_dir, "/d");
  EXPECT_EQ(config.log, LogKind::kSqlite);
  EXPECT_TRUE(config.allow_network_filesystem);
  EXPECT_THAT(config.webhook_secret_files, ElementsAre("/a", "/b"));
  EXPECT_THAT(config.webhook_basic_files, ElementsAre("/c"));
  EXPECT_EQ(config.max_body_bytes, 4u);
  EXPECT_EQ(config.max_http_connections, 5u);
  EXPECT_EQ(config.max_webhooks_per_second, 6u);
  EXPECT_EQ(config.commit_timeout, absl::Milliseconds(7));
  EXPECT_EQ(config.http_threads, 8u);
  EXPECT_EQ(config.max_streams, 9u);
  EXPECT_EQ(config.max_http_connections_per_peer, 31u);
  EXPECT_EQ(config.max_grpc_connections, 32u);
  EXPECT_EQ(config.max_grpc_connections_per_peer, 33u);
  EXPECT_EQ(config.max_streams_per_peer, 34u);
  EXPECT_EQ(config.write_stall_timeout, absl::Seconds(10));
  EXPECT_EQ(config.max_stream_age, absl::Hours(11));
  EXPECT_EQ(config.live_window_bytes, 12000000u);
  EXPECT_EQ(config.grpc_threads, 13u);
  EXPECT_EQ(config.history_threads, 14u);
  EXPECT_FALSE(config.grpc_reflection);
  EXPECT_TRUE(config.allow_insecure_grpc);
  EXPECT_EQ(config.drain_delay, absl::ZeroDuration());
  EXPECT_EQ(config.drain_timeout, absl::Seconds(75));
  EXPECT_TRUE(config.allow_core_dumps);
  EXPECT_EQ(config.log_level, LogLevel::kDebug);
}

TEST(ConfigTest, TakesAbseilsWaysOfWriting) {
  EXPECT_EQ(Parsed(With({"-max_streams", "7"})).max_streams, 7u);
  EXPECT_EQ(Parsed(With({"--max_streams=7", "--max_streams=8"})).max_streams, 8u);
  EXPECT_FALSE(Parsed(With({"--grpc_reflection=false"})).grpc_reflection);
  EXPECT_TRUE(Parsed(With({"--nogrpc_reflection", "--grpc_reflection"})).grpc_reflection);
}

TEST(ConfigTest, EveryFlagHasAVariableAndTheCommandLineWins) {
  const Environment environment = {{"REFUND_RELAY_DATA_DIR", "/data"},
                                   {"REFUND_RELAY_WEBHOOK_BASIC_FILES", "/basic"},
                                   {"REFUND_RELAY_GRPC_REFLECTION", "false"},
                                   {"REFUND_RELAY_MAX_STREAMS", "7"}};
  const Config config = Parsed({}, environment);
  EXPECT_EQ(config.data_dir, "/data");
  EXPECT_THAT(config.webhook_basic_files, ElementsAre("/basic"));
  EXPECT_FALSE(config.grpc_reflection);
  EXPECT_EQ(config.max_streams, 7u);
  EXPECT_EQ(Parsed({"--max_streams=8"}, environment).max_streams, 8u);
  for (const auto& flag : ConfigFlags()) {
    EXPECT_THAT(flag.VariableName(), MatchesRegex("REFUND_RELAY_[A-Z_]+")) << flag.name;
  }
}

TEST(ConfigTest, AnEmptyVariableCountsAsNotSet) {
  EXPECT_EQ(Parsed(With({}), {{"REFUND_RELAY_MAX_STREAMS", ""}}).max_streams, 10000u);
}

TEST(ConfigTest, AWrongValueNamesFlagOrVariableAndWhatIsAccepted) {
  EXPECT_EQ(Refusal(With({"--commit_timeout=soon"})),
            "--commit_timeout: \"soon\" is not accepted; give a duration from 1ms to 10m, such as 5s, 250ms or 1h30m");
  EXPECT_EQ(Refusal(With({}), {{"REFUND_RELAY_LOG", "jetstream"}}),
            "REFUND_RELAY_LOG: \"jetstream\" is not accepted; give one of: sqlite, memory");
}

TEST(ConfigTest, RefusesValuesOutOfRange) {
  for (const char* argument : {"--max_body_bytes=0",
                               "--max_body_bytes=1048577",
                               "--max_body_bytes=-1",
                               "--max_body_bytes=0x10",
                               "--max_body_bytes=",
                               "--max_body_bytes=99999999999999999999",
                               "--max_streams=0",
                               "--history_threads=0",
                               "--commit_timeout=0",
                               "--commit_timeout=-5s",
                               "--commit_timeout=inf",
                               "--commit_timeout=5",
                               "--drain_timeout=0",
                               "--drain_delay=-1ms",
                               "--write_stall_timeout=0s",
                               "--max_stream_age=-1s",
                               "--grpc_reflection=maybe",
                               "--log_level=INFO",
                               "--http_address=8080",
                               "--grpc_address=example.org:1",
                               "--data_dir="}) {
    const std::string name = std::string(argument).substr(0, std::string(argument).find('='));
    EXPECT_THAT(Refusal(With({argument})), AllOf(HasSubstr(name + ": "), HasSubstr("give "))) << argument;
  }
}

TEST(ConfigTest, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(Refusal(With({"--retention_years=1"})), HasSubstr("--retention_years: there is no such flag"));
  EXPECT_THAT(Refusal(With({"--nomax_streams"})), HasSubstr("--nomax_streams: there is no such flag"));
  EXPECT_THAT(Refusal(With({"--max-streams=7"})), HasSubstr("did you mean --max_streams?"));
  EXPECT_THAT(Refusal(With({"serve"})), AllOf(HasSubstr("is not a flag"), Not(HasSubstr("serve"))));
  EXPECT_THAT(Refusal(With({"--"})), HasSubstr("no such flag"));
  EXPECT_THAT(Refusal(With({"--max_streams"})), HasSubstr("the value is missing"));
}

TEST(ConfigTest, TellsEverythingThatIsWrongAtOnce) {
  EXPECT_THAT(Refusal({"--max_streams=x", "--nonsense"}),
              AllOf(HasSubstr("--max_streams: "), HasSubstr("\n--nonsense: "), HasSubstr("\n--webhook_secret_files: "),
                    HasSubstr("\n--data_dir: ")));
}

TEST(ConfigTest, DoesNotStartWithoutWebhookCredentials) {
  EXPECT_THAT(Refusal({"--data_dir=/data"}),
              AllOf(HasSubstr("--webhook_secret_files"), HasSubstr("--webhook_basic_files")));
  EXPECT_THAT(Refusal({"--data_dir=/data", "--webhook_secret_files=,"}), HasSubstr("--webhook_secret_files"));
}

TEST(ConfigTest, DoesNotServePlainGrpcToOtherMachinesUnlessTold) {
  for (const char* address : {"--grpc_address=0.0.0.0:50051", "--grpc_address=[::]:1", "--grpc_address=10.1.2.3:1"}) {
    EXPECT_THAT(Refusal(With({address})), HasSubstr("--allow_insecure_grpc")) << address;
    EXPECT_TRUE(ParseConfig(With({address, "--allow_insecure_grpc"}), {}).ok()) << address;
  }
  EXPECT_TRUE(ParseConfig(With({"--grpc_address=[::1]:0"}), {}).ok());
}

TEST(ConfigTest, NeedsAFolderUnlessNothingIsStored) {
  EXPECT_THAT(Refusal({"--webhook_secret_files=/secret"}), HasSubstr("--data_dir: not set"));
  const Config config = Parsed({"--webhook_secret_files=/secret", "--log=memory"});
  EXPECT_EQ(config.log, LogKind::kMemory);
  EXPECT_THAT(config.warnings, ElementsAre(HasSubstr("every event is lost")));
  EXPECT_THAT(Parsed(With({"--log=memory"})).warnings, ElementsAre(HasSubstr("lost"), HasSubstr("--data_dir")));
}

TEST(ConfigTest, AMistypedVariableShowsButThoseOfOthersDoNot) {
  const Config config = Parsed(With({}), {{"REFUND_RELAY_MAX_STREAM", "7"},
                                          {"REFUND_RELAY_ADDRESS", "127.0.0.1:50051"},  // refundctl's
                                          {"REFUND_RELAY_SERVICE_ACCOUNT_ISUER", "https://issuer.example"},
                                          {"REFUND_RELAY_SERVICE_HOST", "10.0.0.1"},
                                          {"REFUND_RELAY_SERVICE_PORT_HTTP", "8080"},
                                          {"REFUND_RELAY_PORT_8080_TCP_ADDR", "10.0.0.1"},
                                          {"REFUND_RELAY_PORT", "tcp://10.0.0.1:8080"},
                                          {"HOME", "/root"}});
  EXPECT_THAT(config.warnings,
              ElementsAre(HasSubstr("REFUND_RELAY_MAX_STREAM "), HasSubstr("REFUND_RELAY_SERVICE_ACCOUNT_ISUER ")));
}

TEST(ConfigTest, RetentionAndBackupsAreSet) {
  const auto config = ParseConfig(With({"--retention_age=36h", "--retention_bytes=1000000", "--dedupe_age=8760h",
                                        "--backup_interval=6h", "--backup_dir=/backups", "--backup_keep=3"}),
                                  {});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->retention_age, absl::Hours(36));
  EXPECT_EQ(config->retention_bytes, 1'000'000u);
  EXPECT_EQ(config->dedupe_age, absl::Hours(8760));
  EXPECT_EQ(config->backup_interval, absl::Hours(6));
  EXPECT_EQ(config->backup_dir, "/backups");
  EXPECT_EQ(config->backup_keep, 3u);
  EXPECT_EQ(ParseConfig(With({}), {})->retention_age, absl::Hours(24 * 30));
}

TEST(ConfigTest, BackupsNeedAFolderAndALogOnDisk) {
  EXPECT_THAT(Refusal(With({"--backup_interval=1h"})), HasSubstr("--backup_dir: not set"));
  EXPECT_THAT(Refusal(With({"--backup_interval=1h", "--backup_dir=/b", "--log=memory"})),
              HasSubstr("--backup_interval: nothing can be backed up with --log=memory"));
  EXPECT_THAT(Refusal(With({"--backup_keep=0"})), HasSubstr("--backup_keep: "));
}

TEST(ConfigTest, TokensOfServiceAccountsNeedAWholeSet) {
  const std::string issuer = "--service_account_issuer=https://issuer.example";
  const std::string policy = "--access_policy_file=/policy";
  const std::string file = "--service_account_jwks_file=/jwks";
  const std::string url = "--service_account_jwks_url=https://issuer.example/openid/v1/jwks";
  const std::string ca = "--service_account_jwks_ca_file=/ca";
  const std::string token = "--service_account_jwks_token_file=/token";
  EXPECT_EQ(Parsed(With({issuer, policy, file})).service_account_audience, "refund-relay");
  const Config config = Parsed(With({issuer, policy, url, ca, token, "--service_account_audience=relay"}));
  EXPECT_EQ(config.service_account_issuer, "https://issuer.example");
  EXPECT_EQ(config.service_account_audience, "relay");
  EXPECT_EQ(config.service_account_jwks_url, "https://issuer.example/openid/v1/jwks");
  EXPECT_EQ(config.service_account_jwks_ca_file, "/ca");
  EXPECT_EQ(config.service_account_jwks_token_file, "/token");
  for (const std::string& alone : {file, url, ca, token}) {
    EXPECT_THAT(Refusal(With({policy, alone})), AllOf(HasSubstr(alone.substr(0, alone.find('=')) + ": "),
                                                      HasSubstr("give --service_account_issuer too")));
  }
  EXPECT_THAT(Refusal(With({issuer, policy})), HasSubstr("give either --service_account_jwks_file or"));
  EXPECT_THAT(Refusal(With({issuer, policy, file, url})), HasSubstr("give either --service_account_jwks_file or"));
  EXPECT_THAT(Refusal(With({issuer, file})), HasSubstr("give --access_policy_file"));
  EXPECT_THAT(Refusal(With({issuer, policy, file, ca})), HasSubstr("--service_account_jwks_ca_file: it is for"));
  EXPECT_THAT(Refusal(With({issuer, policy, file, token})), HasSubstr("--service_account_jwks_token_file: it is for"));
  EXPECT_THAT(Refusal(With({issuer, policy, "--service_account_jwks_url=http://issuer.example/jwks"})),
              HasSubstr("--service_account_jwks_url: it must be https"));
  EXPECT_THAT(Refusal(With({issuer, policy, "--service_account_jwks_url=issuer.example"})),
              HasSubstr("--service_account_jwks_url: \"issuer.example\" is no URL"));
  EXPECT_THAT(Refusal(With({issuer, policy, file, "--service_account_audience="})),
              HasSubstr("--service_account_audience: "));
}

TEST(ConfigTest, HelpNamesEveryFlagWithItsDefaultAndNothingElse) {
  const auto help = RequestedText(Arguments{"--max_streams=x", "--help"});
  ASSERT_TRUE(help.has_value());
  for (const auto& flag : ConfigFlags()) {
    EXPECT_THAT(*help, HasSubstr(absl::StrCat("  --", flag.name, "=", flag.show(Config()), "\n")));
  }
  EXPECT_THAT(*help, AllOf(HasSubstr("--version"), HasSubstr("REFUND_RELAY_DATA_DIR"), HasSubstr("SIGHUP"),
                           HasSubstr("localhost"), Not(HasSubstr("flagfile"))));
}

TEST(ConfigTest, VersionIsTold) {
  EXPECT_EQ(RequestedText(Arguments{"--version"}), absl::StrCat("refund-relay ", std::string(Version()), "\n"));
  EXPECT_EQ(RequestedText(With({})), std::nullopt);
}

TEST(ConfigDeathTest, WrongFlagsExitWithTwoAndHelpWithZero) {
  char program[] = "refund-relay";
  char wrong[] = "--max_streams=x";
  char help[] = "--help";
  char* wrong_arguments[] = {program, wrong};
  char* help_arguments[] = {program, help};
  EXPECT_EXIT(LoadConfigOrExit(2, wrong_arguments), ::testing::ExitedWithCode(2), "refund-relay: --max_streams: ");
  EXPECT_EXIT(LoadConfigOrExit(2, help_arguments), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace refund_relay
