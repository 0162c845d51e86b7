// Subscription: what one stream sends next. Filter, position and bounds of it; no I/O and no threads.
#ifndef REFUND_RELAY_SERVER_STREAM_SUBSCRIPTION_H_
#define REFUND_RELAY_SERVER_STREAM_SUBSCRIPTION_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/log/event_filter.h"
#include "server/log/event_log.h"
#include "server/stream/encoded_events.h"
#include "server/stream/fan_out.h"

namespace refund_relay {

// Whoever drives it asks `Next()` whenever the stream can take a message, does what the step says, and asks again.
// While history is being read (`ReadHistory`) or nothing is new (`Wait`), `Next()` repeats that step, so asking once
// too often does no harm. Memory is bounded however slow the peer is: a page of history or the commits of one batch.
//
// Not thread-safe: one thread at a time.
class Subscription {
 public:
  struct Options {
    EventFilter filter;
    LogPosition start;  // already checked against the log
    std::string log_id;
    bool omit_personal_data = false;
    bool stop_when_caught_up = false;
    std::optional<LogPosition> until;  // inclusive; already checked against the log
    size_t max_batch_events = 1024;
    size_t max_batch_bytes = 256 << 10;
  };

  // A whole encoded SubscribeResponse{batch}; everything up to `position` has been examined.
  struct Batch {
    std::vector<grpc::Slice> message;
    LogPosition position;
    size_t events = 0;
  };
  struct CaughtUp {};     // send caught_up with position()
  struct FellBehind {};   // send fell_behind with position()
  struct ReadHistory {};  // read the page after position() and give it to OnHistory
  struct Wait {};         // ask again after the fan-out published
  // End the stream. OK: the bound was reached; with `say_position` the peer does not know yet how far it was examined:
  // tell it with position(), then ask again.
  struct End {
    absl::Status status;
    bool say_position = false;
  };
  using Step = std::variant<Batch, CaughtUp, FellBehind, ReadHistory, Wait, End>;

  // `fan_out` must outlive the subscription.
  Subscription(const FanOut& fan_out, Options options);

  Step Next();

  // What the read asked for by ReadHistory gave.
  void OnHistory(absl::StatusOr<std::shared_ptr<const EncodedEvents>> page);

  // Everything up to here has been examined and, where it matches, been given out in a Batch.
  const LogPosition& position() const { return position_; }
  const EventFilter& filter() const { return options_.filter; }
  bool omit_personal_data() const { return options_.omit_personal_data; }
  bool live() const { return live_; }

 private:
  // Takes over the range `events`; false when it does not join what was examined.
  bool Accept(std::shared_ptr<const EncodedEvents> events);
  // Moves through what was accepted; a batch if anything matched.
  std::optional<Batch> Gather();
  // Looks for what comes next when nothing that was accepted is left; unset when it accepted something or went live.
  std::optional<Step> FindMore();
  bool ReachedBound() const { return options_.until.has_value() && position_.sequence >= options_.until->sequence; }

  const FanOut& fan_out_;
  const Options options_;
  LogPosition position_;
  LogPosition said_;              // the newest position that the peer was told
  uint64_t previous_sequence_;    // of the last delivery; at first that of the start
  bool live_ = false;             // in the fan-out's window
  uint64_t catch_up_target_ = 0;  // the newest sequence when the stream went live
  bool told_caught_up_ = false;   // since history was last read
  bool reading_history_ = false;
  std::deque<std::shared_ptr<const EncodedEvents>> accepted_;
  size_t next_entry_ = 0;  // within accepted_.front()
  uint64_t accepted_to_;   // last sequence of accepted_
  std::optional<absl::Status> failed_;
  BatchComposer composer_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_STREAM_SUBSCRIPTION_H_
