// refundctl from its arguments to its exit code.
#ifndef REFUND_RELAY_CLIENT_REFUNDCTL_COMMAND_LINE_H_
#define REFUND_RELAY_CLIENT_REFUNDCTL_COMMAND_LINE_H_

namespace refund_relay {

// Parses the arguments and runs the command that they name. Returns the exit code (exit_code.h). Call it once, on the
// main thread, before any other thread exists.
int RunCommandLine(int argc, const char* const* argv);

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_REFUNDCTL_COMMAND_LINE_H_
