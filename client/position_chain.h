// Checks that the messages of a subscription, over all its streams, join without gap, double or step back.
#ifndef REFUND_RELAY_CLIENT_POSITION_CHAIN_H_
#define REFUND_RELAY_CLIENT_POSITION_CHAIN_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "refundrelay/v1/refund_event_service.pb.h"

namespace refund_relay {

// Knows the position up to which everything was handled, and what the next batch must join. Each check answers
// DATA_LOSS, naming both sequences, when the messages do not join; nothing is advanced then. Not thread-safe.
class PositionChain {
 public:
  // `resume_after`: the position that the first stream is asked to start after, if it is one.
  explicit PositionChain(std::optional<refundrelay::v1::Position> resume_after);

  // The first message of a stream. It must start where this subscription stands, if it stands anywhere yet. A restored
  // log may carry a new log id.
  absl::Status Begin(const refundrelay::v1::Started& started);

  // Before any delivery of `batch` is handled: it joins the last one, and its own deliveries rise.
  absl::Status Check(const refundrelay::v1::Batch& batch) const;

  // One delivery of a checked batch was handled.
  void Handled(const refundrelay::v1::Delivery& delivery);

  // Everything up to `position` was examined: of a batch that was handled whole, or of a message without deliveries.
  absl::Status Advance(const refundrelay::v1::Position& position);

  // Where to resume; unset before the first `started` unless the start was a position.
  const std::optional<refundrelay::v1::Position>& position() const { return position_; }

 private:
  std::optional<refundrelay::v1::Position> position_;
  // What the next batch of the stream must give as `previous_sequence`.
  uint64_t previous_sequence_ = 0;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_POSITION_CHAIN_H_
