// What every call of the gRPC server works with.
#ifndef REFUND_RELAY_SERVER_RPC_CALL_CONTEXT_H_
#define REFUND_RELAY_SERVER_RPC_CALL_CONTEXT_H_

#include <atomic>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "server/log/event_log.h"
#include "server/log/position_store.h"
#include "server/log/quarantine.h"
#include "server/ops/clock.h"
#include "server/ops/log_limiter.h"
#include "server/ops/peer_quota.h"
#include "server/rpc/access_control.h"
#include "server/rpc/idle_input.h"
#include "server/rpc/pending_answers.h"
#include "server/rpc/rpc_metrics.h"
#include "server/rpc/stream_registry.h"
#include "server/stream/append_count.h"
#include "server/stream/fan_out.h"
#include "server/stream/history_reader.h"
#include "server/translate/webhook_parser.h"

namespace refund_relay {

// References outlive every call; values are constant once the server runs, but for the atomics.
struct CallContext {
  EventLog& log;
  PositionStore& positions;
  Quarantine& quarantine;
  FanOut& fan_out;
  HistoryReader& history;
  AppendCount& promotions;  // every Quarantine::Promote goes through its Begin
  StreamRegistry& streams;
  RpcMetrics& metrics;
  AccessControl& access;
  const Clock& clock;
  ParseFunction parse;
  std::string server_instance;
  std::string server_version;
  PeerQuota open_streams;
  absl::Duration write_stall_timeout;
  absl::Duration max_stream_age;
  std::atomic<bool> draining = false;
  // Learns of each call that begins. Set before the first one comes.
  IdleInput* input = nullptr;
  // Of streams that were refused for other reasons than their caller's rights.
  LogLimiter refusal_lines{10, absl::Seconds(1)};
  // Answers that wait for a commit; a stop does not wait longer for them than its deadline.
  std::shared_ptr<PendingAnswers> pending = std::make_shared<PendingAnswers>();
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_CALL_CONTEXT_H_
