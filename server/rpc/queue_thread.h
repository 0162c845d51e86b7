// QueueThread: one completion queue and the one thread that serves it, with its posted tasks, deadlines and waiters.
#ifndef REFUND_RELAY_SERVER_RPC_QUEUE_THREAD_H_
#define REFUND_RELAY_SERVER_RPC_QUEUE_THREAD_H_

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <limits>
#include <memory>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/stream/fan_out.h"

namespace refund_relay {

// Every stream belongs to one QueueThread and is touched by its thread only, so streams need no locks. Methods marked
// "any thread" are thread-safe; the others are for tasks, tags, deadlines and waiters, which all run on the thread.
class QueueThread final : private FanOut::Listener {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // What a completion queue's `void*` points to.
  class Tag {
   public:
    virtual ~Tag() = default;
    virtual void OnComplete(bool ok) = 0;
  };

  // Is called once its deadline has passed.
  class Timed {
   public:
    virtual ~Timed() = default;
    virtual void OnDeadline(TimePoint now) = 0;

   private:
    friend class QueueThread;
    TimePoint deadline_ = TimePoint::max();  // max = none
  };

  // Is called once after the fan-out published.
  class Waiter {
   public:
    virtual ~Waiter() = default;
    virtual void OnPublished() = 0;

   private:
    friend class QueueThread;
    static constexpr size_t kNotWaiting = std::numeric_limits<size_t>::max();
    size_t slot_ = kNotWaiting;
  };

  // `fan_out` must outlive the thread.
  QueueThread(std::unique_ptr<grpc::ServerCompletionQueue> queue, FanOut& fan_out);
  ~QueueThread() override;

  // Starts the thread. Call after the server was built and its first calls were requested.
  void Start();

  // Waits until every call has ended (see CallBegan), then shuts the queue down and joins. The server must have been
  // shut down before, and whatever still completes calls (HistoryReader) stopped. Not on the thread itself.
  void Stop();

  grpc::ServerCompletionQueue* queue() { return queue_.get(); }

  // Any thread. Runs `task` on the thread. Tasks are bounded by the calls: each has at most one or two under way.
  void Post(absl::AnyInvocable<void()> task);

  // Any thread. Every call object counts from its request to its death, and as active from when a peer made the call.
  void CallBegan();
  void CallMatched();
  void CallEnded(bool was_matched);

  // Any thread. Waits until no call is active, at most until `deadline`; false if some are.
  bool AwaitNoActiveCalls(absl::Time deadline);

  // Makes sure that `timed` is called at `deadline` or earlier; an earlier deadline that was set stays. Who is called
  // too early looks at the time and sets the next one: cheaper than moving a deadline at each write.
  void SetDeadline(Timed* timed, TimePoint deadline);
  void ClearDeadline(Timed* timed);

  // Calls `waiter` after the next publication; once.
  void WaitForPublication(Waiter* waiter);
  void StopWaiting(Waiter* waiter);

 private:
  class WakeTag final : public Tag {
   public:
    explicit WakeTag(QueueThread* owner) : owner_(owner) {}
    void OnComplete(bool ok) override;

   private:
    QueueThread* const owner_;
  };

  void OnPublished() override;
  void Wake();
  void Run();
  void RunTasks();
  void RunWaiters();
  void RunDeadlines();

  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  FanOut& fan_out_;
  std::thread thread_;
  WakeTag wake_tag_{this};

  // An alarm costs about 10 us, so one is under way at a time, whoever asks for it. Sequentially consistent both: who
  // publishes sets the first and reads the second, the thread clears the second and reads the first.
  std::atomic<bool> wake_pending_ = false;
  std::atomic<bool> published_ = false;
  absl::Mutex mutex_;
  grpc::Alarm alarm_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;  // no Alarm::Set after the queue's Shutdown: it aborts
  std::vector<absl::AnyInvocable<void()>> tasks_ ABSL_GUARDED_BY(mutex_);
  size_t calls_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t active_calls_ ABSL_GUARDED_BY(mutex_) = 0;

  // The thread's own.
  std::set<std::pair<TimePoint, Timed*>> deadlines_;
  std::vector<Waiter*> waiters_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_QUEUE_THREAD_H_
