// refund-relay: takes refund webhooks over HTTP, stores them durably and streams them over gRPC.
#include "server/app.h"
#include "server/config.h"
#include "server/ops/logging.h"
#include "server/ops/signals.h"

int main(int argc, char** argv) {
  using refund_relay::Log;
  using refund_relay::LogLevel;

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
