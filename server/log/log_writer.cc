#include "server/log/log_writer.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/ops/logging.h"

namespace refund_relay {

LogWriter::LogWriter(CommitStore& store, Options options)
    : store_(store), options_(std::move(options)), thread_([this] { Run(); }) {}

LogWriter::~LogWriter() {
  Close(absl::InfiniteFuture()).IgnoreError();
  thread_.join();
}

void LogWriter::Submit(std::unique_ptr<WriteCommand> command) {
  absl::Status refused;
  {
    absl::MutexLock lock(&mu_);
    const size_t events = queued_events_ + command->events();
    const size_t bytes = queued_bytes_ + command->bytes();
    if (!failed_.ok()) {
      refused = failed_;
    } else if (closing_) {
      refused = absl::UnavailableError("the log is closed; send the webhook again later");
    } else if (queued_bytes_ > 0 && (events > options_.queue_limit_events || bytes > options_.queue_limit_bytes)) {
      refused = absl::ResourceExhaustedError(absl::StrCat(
          "the log's queue is full (", queued_events_, " events of at most ", options_.queue_limit_events, ", ",
          queued_bytes_, " bytes of at most ", options_.queue_limit_bytes, "); send the webhook again in a second"));
    } else {
      queued_events_ = events;
      queued_bytes_ = bytes;
      queue_.push_back(std::move(command));
      return;
    }
  }
  command->Answer(refused);
}

void LogWriter::Run() {
  while (Take()) {
    if (batch_.empty()) {
      ProbeStorage();
    } else {
      CommitBatch();
    }
  }
}

bool LogWriter::Take() {
  absl::MutexLock lock(&mu_);
  const absl::Condition has_work(this, &LogWriter::HasWork);
  if (trouble_.ok()) {
    mu_.Await(has_work);
  } else {
    mu_.AwaitWithTimeout(has_work, options_.probe_interval);
  }
  if (!failed_.ok() || (closing_ && queue_.empty())) {
    phase_ = Phase::kEnded;
    return false;
  }
  size_t events = 0;
  size_t bytes = 0;
  auto end = queue_.begin();
  while (end != queue_.end() && (end == queue_.begin() || (events + (*end)->events() <= options_.max_batch_events &&
                                                           bytes + (*end)->bytes() <= options_.max_batch_bytes))) {
    events += (*end)->events();
    bytes += (*end)->bytes();
    ++end;
  }
  batch_.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
  queue_.erase(queue_.begin(), end);
  if (!batch_.empty()) phase_ = Phase::kCommitting;
  return true;
}

absl::Status LogWriter::Write() {
  absl::Status written = store_.Begin();
  for (size_t i = 0; written.ok() && i < batch_.size(); ++i) written = batch_[i]->Execute();
  if (written.ok()) written = store_.Commit();
  if (written.ok()) return written;
  const absl::Status undone = store_.Rollback();
  if (!undone.ok()) return undone;
  if (absl::IsAborted(written) || absl::IsUnavailable(written)) return written;
  return absl::UnavailableError(written.message());
}

void LogWriter::CommitBatch() {
  const absl::Status outcome = Write();
  absl::Status answer = outcome;
  bool failed_now = false;
  {
    absl::MutexLock lock(&mu_);
    if (phase_ == Phase::kAbandoned) return;  // Close has answered them
    failed_now = absl::IsAborted(outcome) && MarkFailed(outcome);
    // Also when another thread saw a sync fail while this commit went through: what it covered is not certain.
    if (!failed_.ok()) answer = failed_;
    RecordHealth(answer);
    Release(batch_);
    phase_ = Phase::kAnswering;
  }
  if (options_.metrics != nullptr) options_.metrics->Committed(batch_.size());
  if (answer.ok()) store_.Published();
  for (const std::unique_ptr<WriteCommand>& command : batch_) command->Answer(answer);
  {
    absl::MutexLock lock(&mu_);
    batch_.clear();
    phase_ = Phase::kIdle;
  }
  if (failed_now) ReportFailure(outcome);
  if (!answer.ok()) return;
  if (const absl::Status maintained = store_.Maintain(); absl::IsAborted(maintained)) Fail(maintained);
}

void LogWriter::ProbeStorage() {
  absl::Status written = store_.Probe();
  if (!written.ok() && !absl::IsAborted(written)) {
    const absl::Status undone = store_.Rollback();
    if (!undone.ok()) written = undone;
  }
  if (absl::IsAborted(written)) {
    Fail(written);
    return;
  }
  absl::MutexLock lock(&mu_);
  RecordHealth(written);
}

void LogWriter::RecordHealth(const absl::Status& written) {
  if (!failed_.ok()) return;  // said when it failed, and there is no way back
  if (written.ok() && !trouble_.ok()) {
    Log(LogLevel::kInfo, "the log can be written again");
  } else if (!written.ok() && trouble_.ok()) {
    Log(LogLevel::kError, "the log cannot be written; webhooks are answered 503 until it can", {{"cause", written}});
  }
  trouble_ = written;
}

void LogWriter::Release(const Batch& batch) {
  for (const std::unique_ptr<WriteCommand>& command : batch) {
    queued_events_ -= command->events();
    queued_bytes_ -= command->bytes();
  }
}

bool LogWriter::MarkFailed(const absl::Status& cause) {
  if (!failed_.ok()) return false;
  failed_ = absl::AbortedError(absl::StrCat("the log has failed and must be opened again (restart refund-relay): ",
                                            absl::string_view(cause.message().data(), cause.message().size())));
  return true;
}

void LogWriter::ReportFailure(const absl::Status& cause) {
  Batch waiting;
  absl::Status failed;
  {
    absl::MutexLock lock(&mu_);
    failed = failed_;
    waiting.swap(queue_);
    Release(waiting);
  }
  if (options_.metrics != nullptr) options_.metrics->SyncFailed();
  Log(LogLevel::kError, "a sync failed; nothing more is stored until the next start", {{"cause", cause}});
  for (const std::unique_ptr<WriteCommand>& command : waiting) command->Answer(failed);
  if (options_.on_fatal) options_.on_fatal(failed);
}

void LogWriter::Fail(const absl::Status& cause) {
  {
    absl::MutexLock lock(&mu_);
    if (!MarkFailed(cause)) return;
  }
  ReportFailure(cause);
}

absl::Status LogWriter::Health() {
  absl::MutexLock lock(&mu_);
  if (!failed_.ok()) return failed_;
  return trouble_;
}

size_t LogWriter::queued_events() {
  absl::MutexLock lock(&mu_);
  return queued_events_;
}

size_t LogWriter::queued_bytes() {
  absl::MutexLock lock(&mu_);
  return queued_bytes_;
}

absl::Status LogWriter::Close(absl::Time deadline) {
  Batch waiting;
  bool take_answers = false;
  {
    absl::MutexLock lock(&mu_);
    closing_ = true;
    if (mu_.AwaitWithDeadline(absl::Condition(this, &LogWriter::IsEnded), deadline)) return absl::OkStatus();
    // Answers that have begun are quick, and no call may be under way when this returns.
    mu_.Await(absl::Condition(this, &LogWriter::IsNotAnswering));
    waiting.swap(queue_);
    Release(waiting);
    if (phase_ == Phase::kCommitting) {
      phase_ = Phase::kAbandoned;
      Release(batch_);
      take_answers = true;
    }
  }
  const absl::Status late = absl::AbortedError(
      "the log was closed before the commit was durable; whether the event is stored shows at the next start");
  if (take_answers) {
    for (const std::unique_ptr<WriteCommand>& command : batch_) command->Answer(late);
  }
  for (const std::unique_ptr<WriteCommand>& command : waiting) command->Answer(late);
  return absl::DeadlineExceededError("storage did not finish in time; appends still unanswered were answered ABORTED");
}

}  // namespace refund_relay
