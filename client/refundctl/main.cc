// refundctl, the command-line client of refund-relay.
#include <csignal>
#include <cstdlib>

#include "client/refundctl/command_line.h"
#include "server/ops/process_limits.h"

int main(int argc, char** argv) {
  // A reader of our output that went away shows as a failed write, after which the position can still be told.
  std::signal(SIGPIPE, SIG_IGN);
  // Events and tokens pass through; a system that refuses this lets us go on all the same.
  refund_relay::DisableCoreDumps().IgnoreError();
  // gRPC's own log lines would stand between ours; whoever wants them sets the variable.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  return refund_relay::RunCommandLine(argc, argv);
}
