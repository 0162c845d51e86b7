#include "client/position_committer.h"

#include <algorithm>
#include <utility>

#include "refund_relay/rpc_error.h"

namespace refund_relay {
namespace {

bool SamePlace(const refundrelay::v1::Position& a, const refundrelay::v1::Position& b) {
  return a.log_id() == b.log_id() && a.sequence() == b.sequence();
}

}  // namespace

PositionCommitter::PositionCommitter(std::shared_ptr<PositionKeeper> keeper, refundrelay::v1::EventFilter filter,
                                     CommitPolicy policy, std::function<double()> random,
                                     std::function<absl::Time()> now, SubscriberObserver& observer)
    : keeper_(std::move(keeper)),
      filter_(std::move(filter)),
      policy_(policy),
      now_(std::move(now)),
      observer_(observer),
      backoff_(policy.backoff, std::move(random)) {}

bool PositionCommitter::AnythingToCommit() const {
  return has_keeper() && position_.has_value() && (!committed_.has_value() || !SamePlace(*position_, *committed_));
}

void PositionCommitter::Moved(const refundrelay::v1::Position& position, uint64_t events) {
  position_ = position;
  events_ += events;
  if (due_ == absl::InfiniteFuture() && AnythingToCommit()) due_ = now_() + policy_.every;
}

absl::Duration PositionCommitter::DueIn() const {
  if (!AnythingToCommit()) return absl::InfiniteDuration();
  const bool by_count = policy_.every_events != 0 && events_ >= policy_.every_events;
  const absl::Time when = std::max(by_count ? absl::InfinitePast() : due_, not_before_);
  return std::max(when - now_(), absl::ZeroDuration());
}

absl::Status PositionCommitter::CommitIfDue() {
  return DueIn() > absl::ZeroDuration() ? absl::OkStatus() : CommitNow();
}

absl::Status PositionCommitter::CommitNow() {
  const absl::Status status = CommitLast();
  if (status.ok()) return status;
  retry_wait_ = backoff_.Next();
  not_before_ = now_() + retry_wait_;
  const RpcError error = RpcErrorOf(status);
  if (IsPassing(error)) observer_.OnCommitFailed(error, retry_wait_);
  return status;
}

absl::Status PositionCommitter::CommitLast() {
  if (!AnythingToCommit()) return absl::OkStatus();
  const absl::Status status = keeper_->Commit({*position_, filter_});
  if (!status.ok()) return status;
  committed_ = position_;
  events_ = 0;
  due_ = absl::InfiniteFuture();
  not_before_ = absl::InfinitePast();
  backoff_.Reset();
  observer_.OnCommitted(*committed_);
  return status;
}

}  // namespace refund_relay
