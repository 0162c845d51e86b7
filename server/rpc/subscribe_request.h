// Reads a SubscribeRequest: checks its form, then resolves its start and bound against the log.
#ifndef REFUND_RELAY_SERVER_RPC_SUBSCRIBE_REQUEST_H_
#define REFUND_RELAY_SERVER_RPC_SUBSCRIBE_REQUEST_H_

#include <optional>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "refundrelay/v1/refund_event_service.pb.h"
#include "server/log/position_store.h"
#include "server/rpc/filter_request.h"
#include "server/stream/subscription.h"

namespace refund_relay {

// A request that is well-formed by itself.
struct CheckedSubscribe {
  std::string subscriber_name;
  refundrelay::v1::EventFilter asked_filter;  // normalised
  // The one in force: `asked_filter`, narrowed to what the subscriber may see.
  refundrelay::v1::EventFilter shown_filter;
  absl::Duration heartbeat_interval;
  // Of the stream; `start`, `until` and `log_id` are still to be resolved.
  Subscription::Options options;
  std::variant<refundrelay::v1::StartFrom, refundrelay::v1::Position, absl::Time> start;
  std::optional<refundrelay::v1::Position> until;
};

// Pure but for `now`. INVALID_ARGUMENT names every wrong field.
absl::StatusOr<CheckedSubscribe> CheckSubscribe(const refundrelay::v1::SubscribeRequest& request, absl::Time now);

// Whether `ResolveSubscribe` must look into the log; if not, it does not block.
bool NeedsStorage(const CheckedSubscribe& request);

// Completes `request.options`. `latest` is the newest position that was published. Blocks on storage. Errors as
// documented at RefundEventService.Subscribe.
absl::StatusOr<Subscription::Options> ResolveSubscribe(const CheckedSubscribe& request, LogPosition latest,
                                                       EventLog& log, PositionStore& positions);

// Whether `name` is `[a-z0-9-]{1,63}`.
bool IsSubscriberName(std::string_view name);

// Adds to `violations`, under `subscriber_name`, when `name` is none.
void CheckName(std::string_view name, RequestViolations& violations);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_SUBSCRIBE_REQUEST_H_
