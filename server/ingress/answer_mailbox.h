// How the answer to a request reaches the I/O thread that owns its connection.
#ifndef REFUND_RELAY_SERVER_INGRESS_ANSWER_MAILBOX_H_
#define REFUND_RELAY_SERVER_INGRESS_ANSWER_MAILBOX_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "server/ingress/http_answer.h"

namespace refund_relay {

class HttpConnection;

// Makes an answer from an outcome. Called on the connection's I/O thread, and only while the request still waits: after
// a time-out or a closed connection it is dropped unseen.
using MakeAnswer = absl::AnyInvocable<HttpAnswer() &&>;

// One per I/O thread. Thread-safe. The thread is woken only when the mailbox was empty, so a commit that answers many
// webhooks costs one wake-up. Bounded by the number of unanswered requests, which connections and log bound.
class AnswerMailbox {
 public:
  struct Letter {
    std::weak_ptr<HttpConnection> connection;
    uint64_t request = 0;  // the connection's count of requests
    MakeAnswer make;
  };

  // `wake` makes the I/O thread call `Take` soon; called from any thread, with no lock held.
  explicit AnswerMailbox(absl::AnyInvocable<void() const> wake) : wake_(std::move(wake)) {}

  void Put(Letter letter) ABSL_LOCKS_EXCLUDED(mutex_);

  // Swaps the letters into `out`, which must be empty.
  void Take(std::vector<Letter>& out) ABSL_LOCKS_EXCLUDED(mutex_);

  // Letters are dropped from now on.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const absl::AnyInvocable<void() const> wake_;
  absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Letter> letters_ ABSL_GUARDED_BY(mutex_);
};

// The right to answer one request, once, from any thread and at any time, also after the server is gone. Dropping it
// unanswered leaves the request to its time-out.
class AnswerTicket {
 public:
  AnswerTicket(std::shared_ptr<AnswerMailbox> mailbox, std::weak_ptr<HttpConnection> connection, uint64_t request)
      : mailbox_(std::move(mailbox)), connection_(std::move(connection)), request_(request) {}

  void Answer(MakeAnswer make) && { mailbox_->Put({std::move(connection_), request_, std::move(make)}); }

 private:
  std::shared_ptr<AnswerMailbox> mailbox_;
  std::weak_ptr<HttpConnection> connection_;
  uint64_t request_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_ANSWER_MAILBOX_H_
