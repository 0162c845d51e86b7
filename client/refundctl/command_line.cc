#include "client/refundctl/command_line.h"

#include <iostream>
#include <map>
#include <string>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Error.hpp"
#include "CLI/Formatter.hpp"
#include "CLI/Validators.hpp"
#include "absl/strings/str_cat.h"
#include "client/refundctl/command.h"
#include "client/refundctl/exit_code.h"
#include "client/refundctl/flag_checks.h"
#include "client/refundctl/value_text.h"

namespace refund_relay {
namespace {

void AddTlsOptions(CLI::App& app, ChannelOptions* channel) {
  constexpr char kGroup[] = "TLS";
  app.add_flag("--tls", channel->tls, "Speak TLS and trust the system's authorities; --ca_file implies it")
      ->group(kGroup);
  app.add_option("--ca_file,--ca-file", channel->ca_file,
                 "Speak TLS and trust these authorities only (PEM); for send, where its URL is https")
      ->type_name("FILE")
      ->group(kGroup);
  app.add_option("--cert_file,--cert-file", channel->cert_file, "Our certificate, for mutual TLS (PEM)")
      ->type_name("FILE")
      ->group(kGroup);
  app.add_option("--key_file,--key-file", channel->key_file, "The key of --cert_file (PEM)")
      ->type_name("FILE")
      ->group(kGroup);
  app.add_option("--server_name,--server-name", channel->server_name,
                 "What the server's certificate must name, if that is not the address")
      ->type_name("NAME")
      ->group(kGroup);
  app.add_option("--token_file,--token-file", channel->token_file,
                 "A bearer token to send with each call; over TLS only")
      ->type_name("FILE")
      ->group(kGroup);
}

}  // namespace

int RunCommandLine(int argc, const char* const* argv) {
  GlobalOptions global;
  CommandRun run;
  CLI::App app(
      "refundctl: reads the refund events of a refund-relay server, shows and repairs what an operator has to, and "
      "sends "
      "webhooks to try it out",
      "refundctl");
  app.set_version_flag("--version", "refundctl " REFUND_RELAY_VERSION);
  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return absl::StrCat("refundctl: ", error.what(),
                        "\n`refundctl --help` and `refundctl COMMAND --help` tell what there is.\n");
  });
  app.fallthrough();             // global options may stand after the command
  app.require_subcommand(0, 1);  // none is told below, in words of ours; a wrong one by its name
  app.add_option("--address", global.address, "The server's gRPC address")
      ->type_name("HOST:PORT")
      ->envname("REFUND_RELAY_ADDRESS")
      ->capture_default_str()
      ->check(CheckAddress);
  AddTlsOptions(app, &global.channel);
  std::string output = "text";
  app.add_option("--output", output,
                 "text for people, json for programs: one JSON object a line, 64-bit numbers as "
                 "strings")
      ->type_name("text|json")
      ->capture_default_str()
      ->check(CLI::IsMember({"text", "json"}).description(""));
  std::string timeout = "10s";
  app.add_option("--timeout", timeout, "How long an answer, or the first connection, may take")
      ->type_name("DURATION")
      ->capture_default_str()
      ->check(CheckDuration);
  app.footer(std::string("`refundctl COMMAND --help` tells a command's options, with an example.\n\n") +
             kExitCodesHelp);
  AddTailCommand(app, global, &run);
  AddGetCommand(app, global, &run);
  AddListCommand(app, global, &run);
  AddInfoCommand(app, global, &run);
  AddSubscribersCommand(app, global, &run);
  AddPositionsCommands(app, global, &run);
  AddQuarantineCommands(app, global, &run);
  AddPolicyCommands(app, global, &run);
  AddCheckCommands(app, global, &run);
  AddSendCommand(app, global, &run);
  try {
    app.parse(argc, argv);
    if (run == nullptr)
      throw CLI::ValidationError(
          "no command", "choose tail, get, list, info, subscribers, positions, quarantine, policy, check or send");
  } catch (const CLI::ParseError& error) {
    // Success is the "error" by which --help and --version end.
    return app.exit(error) == static_cast<int>(CLI::ExitCodes::Success) ? kExitOk : kExitUsage;
  }
  global.output = output == "json" ? OutputFormat::kJson : OutputFormat::kText;
  global.timeout = ParsePositiveDuration(timeout).value();
  if (const absl::Status status = CheckChannelOptions(global.channel); !status.ok()) {
    std::cerr << "refundctl: " << status.message() << "\n";
    return status.code() == absl::StatusCode::kInvalidArgument ? kExitUsage : kExitLocal;
  }
  return run();
}

}  // namespace refund_relay
