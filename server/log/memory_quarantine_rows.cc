#include "server/log/memory_quarantine_rows.h"

#include <algorithm>
#include <utility>

namespace refund_relay {

std::map<uint64_t, MemoryQuarantineRows::Row>::iterator MemoryQuarantineRows::Find(std::string_view quarantine_id) {
  return std::find_if(rows_.begin(), rows_.end(),
                      [quarantine_id](const auto& row) { return row.second.webhook.quarantine_id == quarantine_id; });
}

absl::StatusOr<std::optional<std::string>> MemoryQuarantineRows::FindBody(std::string_view body_hash) {
  absl::MutexLock lock(&mu_);
  for (const auto& [ordinal, row] : rows_) {
    if (row.body_hash == body_hash) return row.webhook.quarantine_id;
  }
  return std::nullopt;
}

absl::StatusOr<bool> MemoryQuarantineRows::Contains(std::string_view quarantine_id) {
  absl::MutexLock lock(&mu_);
  return Find(quarantine_id) != rows_.end();
}

absl::Status MemoryQuarantineRows::Insert(const NewQuarantinedWebhook& webhook, std::string_view quarantine_id) {
  absl::MutexLock lock(&mu_);
  QuarantinedWebhook kept;
  const uint64_t ordinal = ++last_ordinal_;
  kept.ordinal = ordinal;
  kept.quarantine_id = quarantine_id;
  kept.reason = webhook.reason;
  kept.detail = webhook.detail;
  kept.received_at = absl::FromUnixMicros(absl::ToUnixMicros(webhook.received_at));
  kept.times_received = 1;
  kept.body_bytes = webhook.body.size();
  kept.body = webhook.body;
  kept.event_id = webhook.event_id;
  kept.traceparent = webhook.traceparent;
  rows_.emplace(ordinal, Row{std::move(kept), webhook.body_hash});
  return absl::OkStatus();
}

absl::Status MemoryQuarantineRows::CountAgain(std::string_view quarantine_id) {
  absl::MutexLock lock(&mu_);
  if (const auto row = Find(quarantine_id); row != rows_.end()) ++row->second.webhook.times_received;
  return absl::OkStatus();
}

absl::StatusOr<bool> MemoryQuarantineRows::Remove(std::string_view quarantine_id) {
  absl::MutexLock lock(&mu_);
  const auto row = Find(quarantine_id);
  if (row == rows_.end()) return false;
  rows_.erase(row);
  return true;
}

absl::StatusOr<QuarantineRows::Held> MemoryQuarantineRows::Count() {
  absl::MutexLock lock(&mu_);
  Held held;
  held.webhooks = rows_.size();
  if (!rows_.empty()) held.oldest_received_at = rows_.begin()->second.webhook.received_at;
  return held;
}

std::vector<QuarantinedWebhook> MemoryQuarantineRows::Read(const QuarantineQuery& query) {
  absl::MutexLock lock(&mu_);
  std::vector<QuarantinedWebhook> page;
  size_t body_bytes = 0;
  for (auto row = rows_.upper_bound(query.after_ordinal); row != rows_.end() && page.size() < query.limit; ++row) {
    QuarantinedWebhook webhook = row->second.webhook;
    const auto& ids = query.quarantine_ids;
    if (query.reason.has_value() && webhook.reason != *query.reason) continue;
    if (!ids.empty() && std::find(ids.begin(), ids.end(), webhook.quarantine_id) == ids.end()) continue;
    if (!query.include_body) webhook.body.clear();
    if (!page.empty() && body_bytes + webhook.body.size() > query.max_body_bytes) break;
    body_bytes += webhook.body.size();
    page.push_back(std::move(webhook));
  }
  return page;
}

}  // namespace refund_relay
