// ListSubscribers: every open stream, and every name with a committed position and no stream.
#ifndef REFUND_RELAY_SERVER_RPC_SUBSCRIBER_LIST_H_
#define REFUND_RELAY_SERVER_RPC_SUBSCRIBER_LIST_H_

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "refundrelay/v1/admin_service.pb.h"
#include "server/log/event_log.h"
#include "server/log/position_store.h"
#include "server/rpc/stream_registry.h"

namespace refund_relay {

// A peer that has not taken a message for this long counts as SLOW; under load every stream waits for moments.
inline constexpr absl::Duration kSlowAfter = absl::Seconds(1);

// Whom the list is made of.
struct SubscriberSources {
  const StreamRegistry& streams;
  PositionStore& positions;
  absl::Duration write_stall_timeout;
};

// Answers ListSubscribers at `now`, with its errors. Blocks on storage, for the lags of one page. Thread-safe.
absl::StatusOr<refundrelay::v1::ListSubscribersResponse> ListSubscribers(
    const refundrelay::v1::ListSubscribersRequest& request, const SubscriberSources& sources, absl::Time now,
    EventLog& log);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_SUBSCRIBER_LIST_H_
