// Commits a subscriber's position when the policy says so.
#ifndef REFUND_RELAY_CLIENT_POSITION_COMMITTER_H_
#define REFUND_RELAY_CLIENT_POSITION_COMMITTER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "refund_relay/backoff.h"
#include "refund_relay/position_keeper.h"
#include "refund_relay/subscriber_observer.h"
#include "refund_relay/subscriber_options.h"
#include "refundrelay/v1/refund_event_service.pb.h"

namespace refund_relay {

// Knows what is committed and what could be. Without a keeper it does nothing. Used by the thread of Subscriber::Run.
class PositionCommitter {
 public:
  // `keeper` may be null; `observer` is not owned.
  PositionCommitter(std::shared_ptr<PositionKeeper> keeper, refundrelay::v1::EventFilter filter, CommitPolicy policy,
                    std::function<double()> random, std::function<absl::Time()> now, SubscriberObserver& observer);

  bool has_keeper() const { return keeper_ != nullptr; }

  // `position` was loaded from the keeper.
  void SetCommitted(const refundrelay::v1::Position& position) { committed_ = position; }

  // Everything up to `position` was handled; `events` of it since the last call.
  void Moved(const refundrelay::v1::Position& position, uint64_t events);

  // How long until CommitIfDue has something to do: zero or more, infinite while there is nothing to commit.
  absl::Duration DueIn() const;

  // Commits what is there, if it is time. Answers as the keeper does: see IsPassing.
  absl::Status CommitIfDue();

  // The same, whether it is time or not.
  absl::Status CommitNow();

  // The same for the last time: the observer is not told of another attempt.
  absl::Status CommitLast();

  // How long to wait after a failed CommitNow.
  absl::Duration retry_wait() const { return retry_wait_; }

  const std::optional<refundrelay::v1::Position>& committed() const { return committed_; }

 private:
  bool AnythingToCommit() const;

  // Constant after construction.
  const std::shared_ptr<PositionKeeper> keeper_;
  const refundrelay::v1::EventFilter filter_;
  const CommitPolicy policy_;
  const std::function<absl::Time()> now_;
  SubscriberObserver& observer_;

  Backoff backoff_;
  std::optional<refundrelay::v1::Position> committed_;
  std::optional<refundrelay::v1::Position> position_;
  uint64_t events_ = 0;                           // Handled since the last commit.
  absl::Time due_ = absl::InfiniteFuture();       // By time.
  absl::Time not_before_ = absl::InfinitePast();  // After a failure.
  absl::Duration retry_wait_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_POSITION_COMMITTER_H_
