// KeyFetcher: fetches the keys of an issuer by HTTPS, again and again.
#ifndef REFUND_RELAY_SERVER_IDENTITY_KEY_FETCHER_H_
#define REFUND_RELAY_SERVER_IDENTITY_KEY_FETCHER_H_

#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "server/identity/fetch_schedule.h"
#include "server/identity/token_keys.h"
#include "server/ops/http_client.h"
#include "server/ops/periodic_thread.h"

namespace refund_relay {

// What cannot be fetched or read changes nothing: the keys of before stay in force, with an error in the log. `Ask` may
// be called by any thread; the rest belongs to one.
class KeyFetcher {
 public:
  struct Options {
    HttpUrl url;             // https
    std::string url_text;    // as configured, for the log
    std::string ca_file;     // PEM, read for each fetch; empty: the system's authorities
    std::string token_file;  // a bearer token, read for each fetch; may be empty
    absl::Duration timeout = absl::Seconds(5);
    FetchSchedule::Times times = {};
  };
  // How a fetch went; called by the fetching thread.
  using Report = std::function<void(bool successful, bool keys_changed)>;

  // `keys` must outlive it.
  KeyFetcher(Options options, TokenKeys& keys, Report report);
  ~KeyFetcher() { Stop(); }
  KeyFetcher(const KeyFetcher&) = delete;
  KeyFetcher& operator=(const KeyFetcher&) = delete;

  // Fetches at once and from then on, on a thread of its own.
  void Start();
  // Waits until the first fetch is over, well or not; at most `longest`.
  void AwaitFirst(absl::Duration longest);
  // Breaks off a fetch that is under way. For good.
  void Stop();
  // A key is missing: fetches soon, but not more often than the schedule allows.
  void Ask() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Duration RunOnce() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::string> Download();

  const Options options_;
  TokenKeys& keys_;
  const Report report_;
  HttpClient client_;
  absl::Notification first_;

  absl::Mutex mutex_;
  FetchSchedule schedule_ ABSL_GUARDED_BY(mutex_);
  PeriodicThread thread_;  // last: it uses all of the above
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_IDENTITY_KEY_FETCHER_H_
