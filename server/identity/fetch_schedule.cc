#include "server/identity/fetch_schedule.h"

#include <algorithm>

namespace refund_relay {

absl::Duration FetchSchedule::Wait(absl::Time now) const {
  const absl::Time due = asked_ ? std::min(next_, asked_from_) : next_;
  return std::max(due - now, absl::ZeroDuration());
}

void FetchSchedule::Began(absl::Time now) {
  if (asked_) asked_from_ = now + times_.between_asked;
  asked_ = false;
}

void FetchSchedule::Ended(absl::Time now, bool successful) {
  if (successful) {
    retry_ = absl::ZeroDuration();
    next_ = now + times_.interval;
    return;
  }
  retry_ = retry_ == absl::ZeroDuration() ? times_.first_retry : std::min(retry_ * 2, times_.longest_retry);
  next_ = now + retry_;
}

}  // namespace refund_relay
