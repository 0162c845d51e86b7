#include "server/log/quarantine_table.h"

#include <cstdint>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/log/status_reason.h"
#include "server/ops/logging.h"

namespace refund_relay {
namespace {

// Random, because it goes into answers and logs: one made from the body could be tried against guesses of the body.
std::string NewQuarantineId() {
  std::random_device random;
  return absl::StrFormat("q-%08x%08x", random(), random());
}

}  // namespace

absl::Status QuarantineTable::Load() {
  const absl::StatusOr<QuarantineRows::Held> held = rows_.Count();
  if (!held.ok()) return held.status();
  absl::MutexLock lock(&mu_);
  held_ = *held;
  return absl::OkStatus();
}

absl::Status QuarantineTable::Add(const NewQuarantinedWebhook& webhook, absl::StatusOr<QuarantineOutcome>* outcome) {
  absl::StatusOr<std::optional<std::string>> known = rows_.FindBody(webhook.body_hash);
  if (!known.ok()) return known.status();
  if (known->has_value()) {
    if (absl::Status counted = rows_.CountAgain(**known); !counted.ok()) return counted;
    *outcome = QuarantineOutcome{**std::move(known), true};
    return absl::OkStatus();
  }
  const absl::StatusOr<QuarantineRows::Held> held = rows_.Count();
  if (!held.ok()) return held.status();
  if (held->webhooks >= limit_) {
    *outcome = WithReason(
        absl::ResourceExhaustedError(absl::StrCat("the quarantine is full (", held->webhooks,
                                                  " webhooks, --max_quarantined_webhooks); retry or discard some")),
        "QUARANTINE_FULL");
    return absl::OkStatus();
  }
  std::string id = NewQuarantineId();
  if (absl::Status inserted = rows_.Insert(webhook, id); !inserted.ok()) return inserted;
  changed_ = true;
  *outcome = QuarantineOutcome{std::move(id), false};
  return absl::OkStatus();
}

absl::Status QuarantineTable::Promote(std::string_view quarantine_id, const NewEvent& event, EventAppender& appender,
                                      absl::StatusOr<AppendOutcome>* outcome) {
  const absl::StatusOr<bool> there = rows_.Contains(quarantine_id);
  if (!there.ok()) return there.status();
  if (!*there) {
    *outcome =
        WithReason(absl::NotFoundError("no webhook with this id is in quarantine (any more)"), "QUARANTINE_UNKNOWN");
    return absl::OkStatus();
  }
  const absl::StatusOr<AppendOutcome> appended = appender.Append(event);
  if (!appended.ok()) return appended.status();
  *outcome = *appended;
  if (appended->duplicate) return absl::OkStatus();
  changed_ = true;
  return rows_.Remove(quarantine_id).status();
}

absl::Status QuarantineTable::Discard(std::string_view quarantine_id, bool* was_there) {
  const absl::StatusOr<bool> removed = rows_.Remove(quarantine_id);
  if (!removed.ok()) return removed.status();
  *was_there = *removed;
  changed_ = changed_ || *removed;
  return absl::OkStatus();
}

void QuarantineTable::Published() {
  if (!std::exchange(changed_, false)) return;
  const absl::StatusOr<QuarantineRows::Held> held = rows_.Count();
  if (!held.ok()) {
    Log(LogLevel::kWarning, "the quarantine could not be counted; its metrics lag", {{"cause", held.status()}});
    return;
  }
  absl::MutexLock lock(&mu_);
  held_ = *held;
}

QuarantineInfo QuarantineTable::Info() {
  absl::MutexLock lock(&mu_);
  return {held_.webhooks, limit_, held_.oldest_received_at};
}

}  // namespace refund_relay
