// What the commands of refundctl have in common: global options, and how a command is added and run.
#ifndef REFUND_RELAY_CLIENT_REFUNDCTL_COMMAND_H_
#define REFUND_RELAY_CLIENT_REFUNDCTL_COMMAND_H_

#include <functional>
#include <string>

#include "CLI/App.hpp"
#include "absl/time/time.h"
#include "client/refundctl/output_format.h"
#include "refund_relay/channel.h"

namespace refund_relay {

// Filled by the parser before a command runs.
struct GlobalOptions {
  std::string address = "127.0.0.1:50051";
  ChannelOptions channel;  // checked
  OutputFormat output = OutputFormat::kText;
  absl::Duration timeout = absl::Seconds(10);
};

// The command that the parser chose; returns the exit code.
using CommandRun = std::function<int()>;

// Each adds its subcommand to `app`. When the parser meets it, `*run` is set; it may be called while `global` lives.
void AddTailCommand(CLI::App& app, const GlobalOptions& global, CommandRun* run);
void AddGetCommand(CLI::App& app, const GlobalOptions& global, CommandRun* run);
void AddListCommand(CLI::App& app, const GlobalOptions& global, CommandRun* run);
void AddInfoCommand(CLI::App& app, const GlobalOptions& global, CommandRun* run);
void AddSubscribersCommand(CLI::App& app, const GlobalOptions& global, CommandRun* run);
void AddPositionsCommands(CLI::App& app, const GlobalOptions& global, CommandRun* run);
void AddQuarantineCommands(CLI::App& app, const GlobalOptions& global, CommandRun* run);
void AddPolicyCommands(CLI::App& app, const GlobalOptions& global, CommandRun* run);
void AddCheckCommands(CLI::App& app, const GlobalOptions& global, CommandRun* run);
void AddSendCommand(CLI::App& app, const GlobalOptions& global, CommandRun* run);

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_REFUNDCTL_COMMAND_H_
