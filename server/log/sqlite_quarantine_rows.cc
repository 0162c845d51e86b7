#include "server/log/sqlite_quarantine_rows.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"

namespace refund_relay {
namespace {

constexpr char kColumns[] =
    "ordinal, quarantine_id, reason, detail, received_at, times_received, length(body), event_id, traceparent, body";

QuarantinedWebhook ScanWebhook(const SqliteStatement& row, bool include_body) {
  QuarantinedWebhook webhook;
  webhook.ordinal = static_cast<uint64_t>(row.Int(0));
  webhook.quarantine_id = row.Bytes(1);
  webhook.reason = static_cast<QuarantineReason>(row.Int(2));
  webhook.detail = row.Bytes(3);
  webhook.received_at = absl::FromUnixMicros(row.Int(4));
  webhook.times_received = static_cast<uint64_t>(row.Int(5));
  webhook.body_bytes = static_cast<uint64_t>(row.Int(6));
  webhook.event_id = row.Bytes(7);
  webhook.traceparent = row.Bytes(8);
  if (include_body) webhook.body = row.Bytes(9);
  return webhook;
}

// Collects what a query wants until its bounds are reached.
class PageOfWebhooks {
 public:
  explicit PageOfWebhooks(const QuarantineQuery& query) : query_(query) {}

  // False when the page is full; the row is not in it then.
  bool Add(const SqliteStatement& row) {
    QuarantinedWebhook webhook = ScanWebhook(row, query_.include_body);
    if (query_.reason.has_value() && webhook.reason != *query_.reason) return true;
    if (webhooks_.size() >= query_.limit) return false;
    if (!webhooks_.empty() && body_bytes_ + webhook.body.size() > query_.max_body_bytes) return false;
    body_bytes_ += webhook.body.size();
    webhooks_.push_back(std::move(webhook));
    return true;
  }
  std::vector<QuarantinedWebhook> Take() && { return std::move(webhooks_); }

 private:
  const QuarantineQuery& query_;
  std::vector<QuarantinedWebhook> webhooks_;
  size_t body_bytes_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteQuarantineRows>> SqliteQuarantineRows::Open(SqliteConnection& connection) {
  std::unique_ptr<SqliteQuarantineRows> rows(new SqliteQuarantineRows(connection));
  const absl::Status prepared = connection.PrepareAll({
      {&rows->find_body_, "SELECT quarantine_id FROM quarantine WHERE body_hash = ?1"},
      {&rows->contains_, "SELECT 1 FROM quarantine WHERE quarantine_id = ?1"},
      {&rows->insert_,
       "INSERT INTO quarantine (quarantine_id, body_hash, reason, detail, event_id, traceparent, received_at,"
       " times_received, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8)"},
      {&rows->count_again_, "UPDATE quarantine SET times_received = times_received + 1 WHERE quarantine_id = ?1"},
      {&rows->remove_, "DELETE FROM quarantine WHERE quarantine_id = ?1"},
      {&rows->count_,
       "SELECT (SELECT count(*) FROM quarantine), (SELECT received_at FROM quarantine ORDER BY ordinal LIMIT 1)"},
  });
  if (!prepared.ok()) return prepared;
  return rows;
}

absl::StatusOr<std::optional<std::string>> SqliteQuarantineRows::FindBody(std::string_view body_hash) {
  StatementReset reset(find_body_);
  find_body_.BindBlob(1, body_hash);
  const absl::StatusOr<bool> row = find_body_.Step();
  if (!row.ok()) return row.status();
  if (!*row) return std::nullopt;
  return std::string(find_body_.Bytes(0));
}

absl::StatusOr<bool> SqliteQuarantineRows::Contains(std::string_view quarantine_id) {
  StatementReset reset(contains_);
  contains_.BindText(1, quarantine_id);
  return contains_.Step();
}

absl::Status SqliteQuarantineRows::Insert(const NewQuarantinedWebhook& webhook, std::string_view quarantine_id) {
  insert_.BindText(1, quarantine_id);
  insert_.BindBlob(2, webhook.body_hash);
  insert_.BindInt(3, static_cast<int64_t>(webhook.reason));
  insert_.BindText(4, webhook.detail);
  insert_.BindText(5, webhook.event_id);
  insert_.BindText(6, webhook.traceparent);
  insert_.BindInt(7, absl::ToUnixMicros(webhook.received_at));
  insert_.BindBlob(8, webhook.body);
  return insert_.Run();
}

absl::Status SqliteQuarantineRows::CountAgain(std::string_view quarantine_id) {
  count_again_.BindText(1, quarantine_id);
  return count_again_.Run();
}

absl::StatusOr<bool> SqliteQuarantineRows::Remove(std::string_view quarantine_id) {
  remove_.BindText(1, quarantine_id);
  if (absl::Status removed = remove_.Run(); !removed.ok()) return removed;
  return db_.Changes() > 0;
}

absl::StatusOr<QuarantineRows::Held> SqliteQuarantineRows::Count() {
  StatementReset reset(count_);
  const absl::StatusOr<bool> row = count_.Step();
  if (!row.ok()) return row.status();
  Held held;
  held.webhooks = static_cast<size_t>(count_.Int(0));
  if (!count_.IsNull(1)) held.oldest_received_at = absl::FromUnixMicros(count_.Int(1));
  return held;
}

absl::Status SqliteQuarantineReader::Prepare(SqliteConnection& connection) {
  const std::string scan = absl::StrCat("SELECT ", kColumns, " FROM quarantine WHERE ordinal > ?1 ORDER BY ordinal");
  const std::string select =
      absl::StrCat("SELECT ", kColumns, " FROM quarantine WHERE quarantine_id = ?1 AND ordinal > ?2");
  return connection.PrepareAll({{&scan_, scan}, {&select_, select}});
}

absl::StatusOr<std::vector<QuarantinedWebhook>> SqliteQuarantineReader::Read(const QuarantineQuery& query) {
  PageOfWebhooks page(query);
  if (query.quarantine_ids.empty()) {
    StatementReset reset(scan_);
    scan_.BindInt(1, static_cast<int64_t>(query.after_ordinal));
    for (;;) {
      const absl::StatusOr<bool> row = scan_.Step();
      if (!row.ok()) return row.status();
      if (!*row || !page.Add(scan_)) return std::move(page).Take();
    }
  }
  // In order of arrival, whatever the order asked.
  std::vector<std::pair<int64_t, std::string>> found;
  for (const std::string& id : query.quarantine_ids) {
    StatementReset reset(select_);
    select_.BindText(1, id);
    select_.BindInt(2, static_cast<int64_t>(query.after_ordinal));
    const absl::StatusOr<bool> row = select_.Step();
    if (!row.ok()) return row.status();
    if (*row) found.emplace_back(select_.Int(0), id);
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  for (const auto& [ordinal, id] : found) {
    StatementReset reset(select_);
    select_.BindText(1, id);
    select_.BindInt(2, 0);
    const absl::StatusOr<bool> row = select_.Step();
    if (!row.ok()) return row.status();
    if (*row && !page.Add(select_)) break;
  }
  return std::move(page).Take();
}

}  // namespace refund_relay
