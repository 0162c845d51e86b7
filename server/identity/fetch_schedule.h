// FetchSchedule: when the keys of an issuer are fetched.
#ifndef REFUND_RELAY_SERVER_IDENTITY_FETCH_SCHEDULE_H_
#define REFUND_RELAY_SERVER_IDENTITY_FETCH_SCHEDULE_H_

#include <utility>

#include "absl/time/time.h"

namespace refund_relay {

// At once, then regularly; after a failure sooner, ever more slowly; and when somebody asks, but not more often than
// every so often, however many ask. Times are of any one clock that nobody sets. Not thread-safe.
class FetchSchedule {
 public:
  struct Times {
    absl::Duration interval = absl::Minutes(5);
    absl::Duration first_retry = absl::Seconds(1);  // doubled with each failure in a row
    absl::Duration longest_retry = absl::Minutes(1);
    absl::Duration between_asked = absl::Seconds(10);
  };

  explicit FetchSchedule(const Times& times) : times_(times) {}

  // Somebody needs a fetch that begins after now. False if somebody else has asked for it already.
  bool Ask() { return !std::exchange(asked_, true); }
  // How long to wait for the next fetch; zero: it is due.
  absl::Duration Wait(absl::Time now) const;
  void Began(absl::Time now);
  void Ended(absl::Time now, bool successful);

 private:
  const Times times_;
  absl::Time next_ = absl::InfinitePast();
  bool asked_ = false;
  absl::Time asked_from_ = absl::InfinitePast();  // no fetch for those who ask before
  absl::Duration retry_ = absl::ZeroDuration();   // the last one; zero after a success
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_IDENTITY_FETCH_SCHEDULE_H_
