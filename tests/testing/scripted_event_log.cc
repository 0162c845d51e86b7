#include "tests/testing/scripted_event_log.h"

namespace refund_relay::testing {

ScriptedEventLog::ScriptedEventLog() : thread_([this] { Run(); }) {}

ScriptedEventLog::~ScriptedEventLog() { Stop(); }

void ScriptedEventLog::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

absl::StatusOr<FoundEvent> ScriptedEventLog::Find(std::string_view event_id) {
  absl::MutexLock lock(&mutex_);
  if (!failure_.ok()) return failure_;
  const auto found = sequences_.find(std::string(event_id));
  if (found == sequences_.end()) return absl::NotFoundError("none");
  return FoundEvent{found->second, absl::UnixEpoch(), stored_[found->second - 1].event};
}

void ScriptedEventLog::FailWith(absl::Status status) {
  absl::MutexLock lock(&mutex_);
  failure_ = std::move(status);
}

void ScriptedEventLog::Hold() {
  absl::MutexLock lock(&mutex_);
  held_ = true;
}

void ScriptedEventLog::Release() {
  absl::MutexLock lock(&mutex_);
  held_ = false;
}

void ScriptedEventLog::SetQueue(size_t queued, size_t limit) {
  absl::MutexLock lock(&mutex_);
  info_.queued_events = queued;
  info_.queue_limit_events = limit;
}

bool ScriptedEventLog::AwaitWaiting(size_t count, absl::Duration patience) {
  absl::MutexLock lock(&mutex_);
  const auto enough = [this, count]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return waiting_.size() >= count; };
  return mutex_.AwaitWithTimeout(absl::Condition(&enough), patience);
}

std::vector<NewEvent> ScriptedEventLog::stored() const {
  absl::MutexLock lock(&mutex_);
  return stored_;
}

void ScriptedEventLog::Append(NewEvent event, AppendDone done) {
  absl::MutexLock lock(&mutex_);
  if (!failure_.ok()) {
    waiting_.emplace_back(std::move(done), failure_);
    return;
  }
  const auto [found, is_new] = sequences_.try_emplace(event.event_id, stored_.size() + 1);
  waiting_.emplace_back(std::move(done), AppendOutcome{found->second, !is_new});
  if (is_new) stored_.push_back(std::move(event));
}

absl::Status ScriptedEventLog::Health() {
  absl::MutexLock lock(&mutex_);
  return failure_;
}

LogInfo ScriptedEventLog::Info() {
  absl::MutexLock lock(&mutex_);
  return info_;
}

void ScriptedEventLog::Run() {
  while (true) {
    std::vector<Answer> answers;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &ScriptedEventLog::CanAnswer));
      answers.swap(waiting_);
      if (answers.empty() && stopping_) return;
    }
    for (Answer& answer : answers) answer.first(std::move(answer.second));
  }
}

}  // namespace refund_relay::testing
