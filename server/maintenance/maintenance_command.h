// The commands of refund-relay that do not serve: `verify` and `backup`.
#ifndef REFUND_RELAY_SERVER_MAINTENANCE_MAINTENANCE_COMMAND_H_
#define REFUND_RELAY_SERVER_MAINTENANCE_MAINTENANCE_COMMAND_H_

#include <optional>

namespace refund_relay {

// Exit codes of the commands.
inline constexpr int kExitSound = 0;        // verify: nothing is wrong; backup: it was taken
inline constexpr int kExitDamaged = 1;      // the log is damaged
inline constexpr int kExitUsage = 2;        // wrong arguments; the message tells
inline constexpr int kExitNotPossible = 3;  // it could not be checked or taken; the message tells

// Runs the command that the first argument names, writing to stdout and stderr, and returns its exit code; unset when
// it names none, so that the server is meant. Call it before any thread starts.
std::optional<int> RunMaintenanceCommand(int argc, char** argv);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_MAINTENANCE_MAINTENANCE_COMMAND_H_
