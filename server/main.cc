// refund-relay: takes refund webhooks over HTTP, stores them durably and streams them over gRPC.
#include <optional>

#include "server/app.h"
#include "server/config.h"
#include "server/maintenance/maintenance_command.h"
#include "server/ops/logging.h"
#include "server/ops/signals.h"
#include "server/rpc/grpc_log.h"

int main(int argc, char** argv) {
  using refund_relay::Log;
  using refund_relay::LogLevel;

  if (const std::optional<int> exit_code = refund_relay::RunMaintenanceCommand(argc, argv)) return *exit_code;
  refund_relay::TakeGrpcLog();
  refund_relay::BlockSignals();
  refund_relay::App app(refund_relay::LoadConfigOrExit(argc, argv));
  refund_relay::SignalThread signals({[&app] { app.RequestStop(); }, [&app] { app.RequestReload(); }});
  if (const absl::Status status = app.Start(); !status.ok()) {
    if (absl::IsCancelled(status)) return 0;
    Log(LogLevel::kError, "cannot start", {{"error", status}});
    return 1;
  }
  return app.Run();
}
