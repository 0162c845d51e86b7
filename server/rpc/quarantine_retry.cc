#include "server/rpc/quarantine_retry.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/ops/logging.h"
#include "server/rpc/position_check.h"
#include "server/rpc/quarantine_calls.h"
#include "server/rpc/status_table.h"
#include "server/stream/duplicate_check.h"
#include "server/stream/new_event.h"

namespace refund_relay {
namespace {

namespace v1 = refundrelay::v1;

absl::Status CheckRequest(const v1::RetryQuarantinedWebhooksRequest& request) {
  RequestViolations violations;
  if (request.quarantine_ids().empty() && !request.all()) {
    violations.Add("quarantine_ids", "name webhooks, or set `all` to retry every one");
  }
  if (!request.quarantine_ids().empty() && request.all()) {
    violations.Add("all", "does not go with quarantine_ids");
  }
  if (request.quarantine_ids_size() > kMostQuarantineIds) {
    violations.Add("quarantine_ids", absl::StrCat("at most ", kMostQuarantineIds, " are accepted"));
  }
  return violations.ToStatus();
}

void Settle(v1::RetryResult& result, v1::RetryOutcome outcome, absl::string_view detail) {
  result.set_outcome(outcome);
  result.set_detail(std::string(detail));
}

}  // namespace

void QuarantineRetry::Start(CallContext& context, const v1::RetryQuarantinedWebhooksRequest& request, Answer answer) {
  if (absl::Status checked = CheckRequest(request); !checked.ok()) {
    answer(std::move(checked));
    return;
  }
  std::vector<std::string> ids(request.quarantine_ids().begin(), request.quarantine_ids().end());
  const std::shared_ptr<QuarantineRetry> retry(new QuarantineRetry(context, std::move(ids), std::move(answer)));
  retry->Turn(&QuarantineRetry::PromoteChunk);
}

QuarantineRetry::QuarantineRetry(CallContext& context, std::vector<std::string> ids, Answer answer)
    : context_(context), ids_(std::move(ids)), answer_(std::move(answer)) {}

void QuarantineRetry::Turn(void (QuarantineRetry::*step)(EventLog& log)) {
  const bool queued = context_.history.Run([self = shared_from_this(), step](EventLog& log) { ((*self).*step)(log); });
  if (!queued) Finish(absl::ResourceExhaustedError("too many reads of history wait; retry again, which is safe"));
}

void QuarantineRetry::PromoteChunk(EventLog&) {
  for (Item& item : chunk_) *response_.add_results() = std::move(item.result);
  chunk_.clear();
  QuarantineQuery query;
  query.after_ordinal = after_ordinal_;
  query.quarantine_ids = ids_;
  query.include_body = true;
  query.limit = kChunk;
  absl::StatusOr<std::vector<QuarantinedWebhook>> page = context_.quarantine.Read(query);
  if (!page.ok()) {
    Finish(page.status());
    return;
  }
  if (page->empty()) {
    Finish(absl::OkStatus());
    return;
  }
  after_ordinal_ = page->back().ordinal;
  for (QuarantinedWebhook& webhook : *page) {
    Item& item = chunk_.emplace_back();
    item.result.set_quarantine_id(webhook.quarantine_id);
    item.webhook = std::move(webhook);
  }
  AwaitAnswers(chunk_.size());
  for (size_t i = 0, count = chunk_.size(); i < count; ++i) {
    if (!Promote(chunk_[i])) CountDown(&QuarantineRetry::CompareDuplicates);
  }
}

bool QuarantineRetry::Promote(Item& item) {
  absl::StatusOr<ParsedWebhook> parsed =
      context_.parse(item.webhook.body, {context_.clock.Now(), item.webhook.traceparent});
  if (!parsed.ok()) {
    Settle(item.result, v1::RETRY_OUTCOME_STILL_QUARANTINED, parsed.status().message());
    return false;
  }
  *parsed->event.mutable_first_received_at() = ToProto(item.webhook.received_at);
  item.result.set_event_id(parsed->event.event_id());
  context_.quarantine.Promote(
      item.webhook.quarantine_id, ToNewEvent(parsed->event),
      context_.promotions.Begin([self = shared_from_this(), &item](const absl::StatusOr<AppendOutcome>& outcome) {
        self->OnPromoted(item, outcome);
        self->CountDown(&QuarantineRetry::CompareDuplicates);
      }));
  return true;
}

void QuarantineRetry::OnPromoted(Item& item, const absl::StatusOr<AppendOutcome>& outcome) {
  if (absl::IsNotFound(outcome.status())) {
    item.result.clear_event_id();
    Settle(item.result, v1::RETRY_OUTCOME_UNKNOWN, "another call has retried or discarded it meanwhile");
  } else if (!outcome.ok()) {
    item.result.clear_event_id();
    Settle(item.result, v1::RETRY_OUTCOME_FAILED, outcome.status().message());
  } else {
    item.result.set_sequence(outcome->sequence);
    item.is_duplicate = outcome->duplicate;
    if (!item.is_duplicate) item.result.set_outcome(v1::RETRY_OUTCOME_APPENDED);
  }
}

void QuarantineRetry::CompareDuplicates(EventLog& log) {
  AwaitAnswers(chunk_.size());
  for (size_t i = 0, count = chunk_.size(); i < count; ++i) {
    if (!Compare(chunk_[i], log)) CountDown(&QuarantineRetry::PromoteChunk);
  }
}

bool QuarantineRetry::Compare(Item& item, EventLog& log) {
  if (!item.is_duplicate) return false;
  const absl::StatusOr<Duplicate> duplicate = CheckDuplicate(log, item.result.event_id(), item.webhook.body);
  if (duplicate.ok() && *duplicate == Duplicate::kSame) {
    item.result.set_outcome(v1::RETRY_OUTCOME_DUPLICATE);
    context_.quarantine.Discard(item.webhook.quarantine_id,
                                [self = shared_from_this(), &item](const absl::StatusOr<bool>& was_there) {
                                  if (!was_there.ok()) {
                                    Settle(item.result, v1::RETRY_OUTCOME_FAILED, was_there.status().message());
                                  }
                                  self->CountDown(&QuarantineRetry::PromoteChunk);
                                });
    return true;
  }
  const uint64_t sequence = item.result.sequence();
  item.result.clear_sequence();
  if (!duplicate.ok()) {
    Settle(item.result, v1::RETRY_OUTCOME_FAILED, duplicate.status().message());
  } else if (*duplicate == Duplicate::kConflict) {
    Settle(item.result, v1::RETRY_OUTCOME_STILL_QUARANTINED,
           absl::StrCat("the event with this id, at sequence ", sequence, ", has another content"));
  } else {
    Settle(item.result, v1::RETRY_OUTCOME_STILL_QUARANTINED,
           absl::StrCat("an event with this id was stored at sequence ", sequence,
                        " and has been deleted by retention, so nobody can tell whether it was the same; settle it by "
                        "hand, then discard it"));
  }
  return false;
}

void QuarantineRetry::AwaitAnswers(size_t count) {
  absl::MutexLock lock(&mutex_);
  waiting_ = count;
}

void QuarantineRetry::CountDown(void (QuarantineRetry::*step)(EventLog& log)) {
  {
    absl::MutexLock lock(&mutex_);
    if (--waiting_ > 0) return;
  }
  Turn(step);
}

void QuarantineRetry::Finish(absl::Status status) {
  int appended = 0;
  std::set<std::string> seen;
  for (const v1::RetryResult& result : response_.results()) {
    seen.insert(result.quarantine_id());
    appended += result.outcome() == v1::RETRY_OUTCOME_APPENDED ? 1 : 0;
  }
  Log(status.ok() ? LogLevel::kInfo : LogLevel::kWarning, "quarantine retried",
      {{"webhooks", response_.results_size()}, {"appended", appended}, {"outcome", status}});
  if (!status.ok()) {
    answer_(std::move(status));
    return;
  }
  for (const std::string& id : ids_) {
    if (!seen.insert(id).second) continue;
    v1::RetryResult& result = *response_.add_results();
    result.set_quarantine_id(id);
    Settle(result, v1::RETRY_OUTCOME_UNKNOWN, "no webhook with this id is in quarantine");
  }
  answer_(std::move(response_));
}

}  // namespace refund_relay
