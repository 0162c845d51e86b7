#include "tests/testing/log_probe.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/log/status_reason.h"

namespace refund_relay {
void AbortUnless(bool there, const char* what) {
  if (there) return;
  std::fprintf(stderr, "gave up waiting for %s\n", what);
  std::abort();
}

NewEvent MakeEvent(const std::string& id, const std::string& name, const std::string& client, size_t bytes) {
  NewEvent event;
  event.event_id = id;
  event.event_name = name;
  event.client_id = client;
  event.refund_id = "refund-" + id;
  event.payment_gateway_refund_id = "rfnd_" + id;
  event.event = "event " + id + " ";
  if (event.event.size() < bytes) event.event.append(bytes - event.event.size(), '\x80');
  return event;
}

EventLog::AppendDone Answers::Next() {
  absl::MutexLock lock(&state_->mu);
  const size_t slot = state_->slots.size();
  state_->slots.emplace_back(absl::UnknownError("not answered yet"));
  state_->calls.push_back(0);
  return [state = state_, slot](absl::StatusOr<AppendOutcome> outcome) {
    absl::MutexLock done(&state->mu);
    state->slots[slot] = std::move(outcome);
    if (state->calls[slot]++ == 0) ++state->answered;
  };
}

std::vector<absl::StatusOr<AppendOutcome>> Answers::Wait() {
  absl::MutexLock lock(&state_->mu);
  AbortUnless(state_->mu.AwaitWithTimeout(absl::Condition(state_.get(), &State::Complete), kTestDeadline), "answers");
  return state_->slots;
}

int Answers::repeated() {
  absl::MutexLock lock(&state_->mu);
  int repeated = 0;
  for (const int calls : state_->calls) repeated += calls > 1 ? 1 : 0;
  return repeated;
}

absl::StatusOr<TrimOutcome> TrimAndWait(EventLog& log, const TrimRequest& request) {
  Answer<absl::StatusOr<TrimOutcome>> answer;
  log.Trim(request, answer.Callback());
  return answer.Wait();
}

absl::StatusOr<size_t> TrimAll(EventLog& log, const TrimRequest& request) {
  size_t events = 0;
  for (;;) {
    const absl::StatusOr<TrimOutcome> outcome = TrimAndWait(log, request);
    if (!outcome.ok()) return outcome.status();
    events += outcome->events.size();
    if (!outcome->more) return events;
  }
}

absl::StatusOr<AppendOutcome> AppendAndWait(EventLog& log, NewEvent event) {
  Answers answers;
  log.Append(std::move(event), answers.Next());
  return answers.Wait().front();
}

absl::StatusOr<std::vector<SeenEvent>> ReadAll(EventLog& log, LogPosition after, const EventFilter& filter) {
  std::vector<SeenEvent> seen;
  for (;;) {
    const auto next =
        log.Read(after, filter, ReadLimits(), [&](const StoredEvent& event) { seen.emplace_back(event); });
    if (!next.ok()) return next.status();
    if (next->sequence == after.sequence) return seen;
    after = *next;
  }
}

std::string ReasonText(const absl::Status& status) {
  const auto reason = ReasonOf(status);
  if (!reason.has_value()) return "";
  std::string text = reason->reason();
  const std::map<std::string, std::string> sorted(reason->metadata().begin(), reason->metadata().end());
  for (const auto& [key, value] : sorted) absl::StrAppend(&text, " ", key, "=", value);
  return text;
}

void Gate::Open() {
  absl::MutexLock lock(&mu_);
  open_ = true;
}

void Gate::Pass() {
  absl::MutexLock lock(&mu_);
  arrived_ = true;
  AbortUnless(mu_.AwaitWithTimeout(absl::Condition(&open_), kTestDeadline), "a gate to open");
}

void Gate::AwaitArrival() {
  absl::MutexLock lock(&mu_);
  AbortUnless(mu_.AwaitWithTimeout(absl::Condition(&arrived_), kTestDeadline), "a thread at a gate");
}

}  // namespace refund_relay
