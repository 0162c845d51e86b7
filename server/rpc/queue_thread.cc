#include "server/rpc/queue_thread.h"

#include <grpc/support/time.h>

#include <algorithm>

namespace refund_relay {
namespace {

// With nothing due, look again now and then all the same.
constexpr std::chrono::seconds kLongestWait{10};

gpr_timespec ToTimespec(std::chrono::steady_clock::duration wait) {
  const int64_t micros = std::chrono::ceil<std::chrono::microseconds>(wait).count();
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_micros(std::max<int64_t>(micros, 0), GPR_TIMESPAN));
}

}  // namespace

QueueThread::QueueThread(std::unique_ptr<grpc::ServerCompletionQueue> queue, FanOut& fan_out)
    : queue_(std::move(queue)), fan_out_(fan_out) {}

QueueThread::~QueueThread() = default;

void QueueThread::Start() {
  fan_out_.AddListener(this);
  thread_ = std::thread([this] { Run(); });
}

void QueueThread::Stop() {
  if (!thread_.joinable()) return;
  fan_out_.RemoveListener(this);
  {
    absl::MutexLock lock(&mutex_);
    const auto none_left = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return calls_ == 0; };
    mutex_.Await(absl::Condition(&none_left));
    closed_ = true;
  }
  queue_->Shutdown();
  thread_.join();
}

void QueueThread::Post(absl::AnyInvocable<void()> task) {
  {
    absl::MutexLock lock(&mutex_);
    tasks_.push_back(std::move(task));
  }
  Wake();
}

void QueueThread::CallBegan() {
  absl::MutexLock lock(&mutex_);
  ++calls_;
}

void QueueThread::CallMatched() {
  absl::MutexLock lock(&mutex_);
  ++active_calls_;
}

void QueueThread::CallEnded(bool was_matched) {
  absl::MutexLock lock(&mutex_);
  --calls_;
  if (was_matched) --active_calls_;
}

bool QueueThread::AwaitNoActiveCalls(absl::Time deadline) {
  absl::MutexLock lock(&mutex_);
  const auto none_active = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return active_calls_ == 0; };
  return mutex_.AwaitWithDeadline(absl::Condition(&none_active), deadline);
}

void QueueThread::SetDeadline(Timed* timed, TimePoint deadline) {
  if (deadline >= timed->deadline_) return;
  ClearDeadline(timed);
  timed->deadline_ = deadline;
  deadlines_.emplace(deadline, timed);
}

void QueueThread::ClearDeadline(Timed* timed) {
  if (timed->deadline_ == TimePoint::max()) return;
  deadlines_.erase({timed->deadline_, timed});
  timed->deadline_ = TimePoint::max();
}

void QueueThread::WaitForPublication(Waiter* waiter) {
  if (waiter->slot_ != Waiter::kNotWaiting) return;
  waiter->slot_ = waiters_.size();
  waiters_.push_back(waiter);
}

void QueueThread::StopWaiting(Waiter* waiter) {
  if (waiter->slot_ == Waiter::kNotWaiting) return;
  waiters_.back()->slot_ = waiter->slot_;
  waiters_[waiter->slot_] = waiters_.back();
  waiters_.pop_back();
  waiter->slot_ = Waiter::kNotWaiting;
}

void QueueThread::OnPublished() {
  published_.store(true);
  Wake();
}

void QueueThread::Wake() {
  if (wake_pending_.exchange(true)) return;
  absl::MutexLock lock(&mutex_);
  // The past, not now: gRPC's timers round up to the next millisecond, and a deadline that has passed fires at once.
  if (!closed_) alarm_.Set(queue_.get(), gpr_inf_past(GPR_CLOCK_MONOTONIC), &wake_tag_);
}

void QueueThread::WakeTag::OnComplete(bool) {
  // Cleared before anything is looked at: whoever comes later sets a new alarm.
  owner_->wake_pending_.store(false);
  owner_->RunTasks();
  if (owner_->published_.exchange(false)) owner_->RunWaiters();
}

void QueueThread::Run() {
  while (true) {
    auto wait = std::chrono::steady_clock::duration(kLongestWait);
    if (!deadlines_.empty()) {
      wait = std::min(wait, deadlines_.begin()->first - std::chrono::steady_clock::now());
    }
    void* tag = nullptr;
    bool ok = false;
    switch (queue_->AsyncNext(&tag, &ok, ToTimespec(wait))) {
      case grpc::CompletionQueue::SHUTDOWN:
        return;
      case grpc::CompletionQueue::GOT_EVENT:
        static_cast<Tag*>(tag)->OnComplete(ok);
        break;
      case grpc::CompletionQueue::TIMEOUT:
        break;
    }
    RunDeadlines();
  }
}

void QueueThread::RunTasks() {
  std::vector<absl::AnyInvocable<void()>> tasks;
  {
    absl::MutexLock lock(&mutex_);
    tasks.swap(tasks_);
  }
  for (absl::AnyInvocable<void()>& task : tasks) task();
}

void QueueThread::RunWaiters() {
  std::vector<Waiter*> waiters;
  waiters.swap(waiters_);
  for (Waiter* waiter : waiters) waiter->slot_ = Waiter::kNotWaiting;
  for (Waiter* waiter : waiters) waiter->OnPublished();  // only takes steps, so none of the others dies meanwhile
}

void QueueThread::RunDeadlines() {
  if (deadlines_.empty()) return;
  const TimePoint now = std::chrono::steady_clock::now();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    Timed* const timed = deadlines_.begin()->second;
    ClearDeadline(timed);
    timed->OnDeadline(now);
  }
}

}  // namespace refund_relay
