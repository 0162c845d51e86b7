#include "server/maintenance/log_check.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/log/event_record.h"
#include "server/log/sqlite_database.h"
#include "server/maintenance/event_check.h"
#include "server/translate/sha256.h"

namespace refund_relay {
namespace {

constexpr absl::Duration kLockWait = absl::Seconds(10);
constexpr int kInstructionsBetweenLooks = 100'000;  // for a cancellation

absl::Status CheckVersion(SqliteConnection& db, const std::string& path) {
  auto select = db.Prepare("SELECT value FROM meta WHERE key = 'schema_version'");
  if (absl::IsDataLoss(select.status())) return select.status();
  if (!select.ok()) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is no log of refund-relay"));
  }
  const absl::StatusOr<bool> row = select->Step();
  if (!row.ok()) return row.status();
  const int64_t version = *row ? select->Int(0) : 0;
  if (version == kSchemaVersion) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(path, " has schema version ", version, " and this refund-relay checks version ", kSchemaVersion,
                   version < kSchemaVersion ? "; starting the server on it once brings it to that"
                                            : "; use the refund-relay that wrote it"));
}

absl::Status CheckPages(SqliteConnection& db, LogReport& report) {
  auto check = db.Prepare(absl::StrCat("PRAGMA integrity_check(", LogReport::kMaxListedProblems, ")"));
  if (!check.ok()) return check.status();
  for (;;) {
    const absl::StatusOr<bool> row = check->Step();
    if (absl::IsDataLoss(row.status())) {
      report.Add(absl::StrCat("pages: ", row.status().message()));
      return absl::OkStatus();
    }
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
    const std::string text(check->Bytes(0));
    if (text != "ok") report.Add(absl::StrCat("pages: ", text));
  }
}

absl::Status CheckPositions(SqliteConnection& db, const LogBounds& bounds, LogReport& report) {
  auto select = db.Prepare(
      "SELECT p.subscriber_name, p.sequence, p.event_hash, p.version, e.event_id"
      " FROM positions p LEFT JOIN events e ON e.sequence = p.sequence");
  if (!select.ok()) return select.status();
  for (;;) {
    const absl::StatusOr<bool> row = select->Step();
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
    ++report.positions;
    const std::string what = absl::StrCat("the committed position of ", std::string(select->Bytes(0)));
    const auto sequence = static_cast<uint64_t>(select->Int(1));
    const auto hash = static_cast<uint64_t>(select->Int(2));
    if (sequence > bounds.last_sequence) {
      report.Add(absl::StrCat(what, " lies past the last event, at sequence ", sequence));
    } else if (hash != 0 && !select->IsNull(4) && hash != EventHash(select->Bytes(4))) {
      report.Add(absl::StrCat(what, " names another event than the one at sequence ", sequence));
    }
    if (select->Int(3) < 1) report.Add(absl::StrCat(what, " has no version"));
  }
}

absl::Status CheckQuarantine(SqliteConnection& db, LogReport& report) {
  auto select = db.Prepare("SELECT quarantine_id, body_hash, body FROM quarantine");
  if (!select.ok()) return select.status();
  for (;;) {
    const absl::StatusOr<bool> row = select->Step();
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
    ++report.quarantined;
    const Sha256Digest digest = Sha256({select->Bytes(2)});
    if (select->Bytes(1) != std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size())) {
      report.Add(absl::StrCat("the quarantined webhook ", std::string(select->Bytes(0)), " is damaged"));
    }
  }
}

absl::Status CheckParts(SqliteConnection& db, const std::string& path, const Cancelled& cancelled, LogReport& report) {
  if (absl::Status version = CheckVersion(db, path); !version.ok()) return version;
  if (absl::Status begun = db.Execute("BEGIN"); !begun.ok()) return begun;
  absl::StatusOr<LogIdentity> identity = ReadIdentity(db);
  if (!identity.ok()) return identity.status();
  report.identity = *std::move(identity);
  auto select_bounds = db.Prepare(kSelectBounds);
  if (!select_bounds.ok()) return select_bounds.status();
  const absl::StatusOr<LogBounds> bounds = ScanBounds(*select_bounds);
  if (!bounds.ok()) return bounds.status();
  report.first_sequence = bounds->first_sequence();
  report.last_sequence = bounds->last_sequence;
  if (absl::Status pages = CheckPages(db, report); !pages.ok()) return pages;
  if (absl::Status events = EventCheck(db, *bounds, cancelled, report).Run(); !events.ok()) return events;
  if (absl::Status positions = CheckPositions(db, *bounds, report); !positions.ok()) return positions;
  return CheckQuarantine(db, report);
}

}  // namespace

void LogReport::Add(std::string problem) {
  ++problems;
  if (listed_problems.size() < kMaxListedProblems) listed_problems.push_back(std::move(problem));
}

std::string LogReport::Text() const {
  std::string text = sound() ? "sound\n" : absl::StrCat("DAMAGED: ", problems, " problems\n");
  for (const std::string& problem : listed_problems) absl::StrAppend(&text, "  - ", problem, "\n");
  if (problems > listed_problems.size()) {
    absl::StrAppend(&text, "  - and ", problems - listed_problems.size(), " more\n");
  }
  if (!identity.log_id.empty()) absl::StrAppend(&text, "log_id                ", identity.log_id, "\n");
  if (identity.restored_from.has_value()) {
    absl::StrAppend(&text, identity.log_id.empty() ? "backup of             " : "restored from         ",
                    identity.restored_from->log_id, ", up to sequence ", identity.restored_from->last_sequence, "\n");
  }
  absl::StrAppend(&text, "events                ", events);
  if (events > 0) absl::StrAppend(&text, ", sequences ", first_sequence, " to ", last_sequence);
  absl::StrAppend(&text, "\nknown ids             ", ids, "\ncommitted positions   ", positions,
                  "\nquarantined webhooks  ", quarantined, "\n");
  return text;
}

absl::StatusOr<LogReport> CheckLog(const std::string& path, const Cancelled& cancelled) {
  struct stat info{};
  if (stat(path.c_str(), &info) != 0) return absl::NotFoundError(absl::StrCat("there is no file ", path));
  if (absl::Status own = CheckWriteAheadLogIsItsOwn(path); !own.ok()) return own;
  LogReport report;
  absl::StatusOr<SqliteConnection> db = SqliteConnection::Open(path, /*vfs=*/"");
  absl::Status checked = db.status();
  if (db.ok()) {
    db->SetBusyTimeout(kLockWait);
    const auto look = [](void* asked) { return (*static_cast<const Cancelled*>(asked))() ? 1 : 0; };
    sqlite3_progress_handler(db->handle(), kInstructionsBetweenLooks, look, const_cast<Cancelled*>(&cancelled));
    checked = db->Execute("PRAGMA query_only = 1");
    if (checked.ok()) checked = CheckParts(*db, path, cancelled, report);
  }
  if (checked.ok()) return report;
  if (cancelled()) return absl::CancelledError("cancelled");
  if (!absl::IsDataLoss(checked)) return checked;
  report.Add(std::string(checked.message()));
  return report;
}

}  // namespace refund_relay
