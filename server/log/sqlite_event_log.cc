#include "server/log/sqlite_event_log.h"

#include <utility>

#include "server/log/append_command.h"
#include "server/log/checkpointer.h"
#include "server/log/log_writer.h"
#include "server/log/position_table.h"
#include "server/log/quarantine_table.h"
#include "server/log/sqlite_event_reader.h"
#include "server/log/sqlite_event_store.h"
#include "server/log/sqlite_position_rows.h"
#include "server/log/sqlite_quarantine_rows.h"
#include "server/log/sqlite_reader_pool.h"
#include "server/log/sqlite_schema.h"
#include "server/log/trim_command.h"
#include "server/log/written_position_store.h"
#include "server/log/written_quarantine.h"
#include "server/ops/logging.h"

namespace refund_relay {
namespace {

absl::Status ClosedError() { return absl::UnavailableError("the log is closed"); }

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteEventLog>> SqliteEventLog::Open(Options options) {
  DataDir::Options dir_options;
  dir_options.path = options.data_dir;
  dir_options.allow_network_filesystem = options.allow_network_filesystem;
  absl::StatusOr<DataDir> dir = DataDir::Open(dir_options);
  if (!dir.ok()) return dir.status();
  std::unique_ptr<SqliteEventLog> log(new SqliteEventLog(std::move(options), *std::move(dir)));
  if (absl::Status started = log->Start(); !started.ok()) return started;
  return log;
}

SqliteEventLog::SqliteEventLog(Options options, DataDir dir) : options_(std::move(options)), dir_(std::move(dir)) {}

absl::Status SqliteEventLog::Start() {
  absl::StatusOr<OpenedDatabase> opened = OpenDatabase(dir_, options_.vfs, options_.open_reader_wait);
  if (!opened.ok()) return opened.status();
  log_id_ = opened->identity.log_id;
  restored_from_ = opened->identity.restored_from;
  auto store =
      SqliteEventStore::Create(std::move(opened->writer), *options_.clock, tail_, [this] { checkpointer_->Wake(); });
  if (!store.ok()) return store.status();
  store_ = *std::move(store);
  if (absl::Status parts = OpenParts(); !parts.ok()) return parts;
  auto readers = SqliteReaderPool::Open(opened->path, options_.vfs, kReadConnections);
  if (!readers.ok()) return readers.status();
  readers_ = *std::move(readers);
  absl::StatusOr<SqliteConnection> checkpoints = SqliteConnection::Open(opened->path, options_.vfs);
  if (!checkpoints.ok()) return checkpoints.status();

  // Each of the two threads calls the other: the checkpointer reports a failed sync to the writer, which is there
  // before a first commit wakes the checkpointer.
  checkpointer_ = std::make_unique<Checkpointer>(*std::move(checkpoints), opened->path,
                                                 [this](const absl::Status& cause) { writer_->Fail(cause); });
  LogWriter::Options writer;
  writer.queue_limit_events = options_.limits.queue_limit_events;
  writer.queue_limit_bytes = options_.limits.queue_limit_bytes;
  writer.max_batch_events = options_.limits.max_batch_events;
  writer.max_batch_bytes = options_.limits.max_batch_bytes;
  writer.probe_interval = options_.probe_interval;
  writer.metrics = options_.metrics;
  writer.on_fatal = [this](const absl::Status& cause) {
    checkpointer_->RequestStop();  // a checkpoint would be another sync
    if (options_.on_fatal) options_.on_fatal(cause);
  };
  writer_ = std::make_unique<LogWriter>(*store_, std::move(writer));
  positions_ = std::make_unique<WrittenPositionStore>(*writer_, *position_table_);
  quarantine_ = std::make_unique<WrittenQuarantine>(
      *writer_, *quarantine_table_, *store_,
      [this](const QuarantineQuery& query) -> absl::StatusOr<std::vector<QuarantinedWebhook>> {
        SqliteReaderPool::Lease lease(*readers_);
        if (lease.get() == nullptr) return ClosedError();
        return lease.get()->ReadQuarantine(query);
      });

  const LogEnds ends = tail_.ends();
  Log(LogLevel::kInfo, "the log is open",
      {{"data_dir", dir_.path()},
       {"log_id", log_id_},
       {"first_sequence", ends.first_sequence},
       {"last_sequence", ends.last.sequence}});
  return absl::OkStatus();
}

absl::Status SqliteEventLog::OpenParts() {
  absl::StatusOr<std::unique_ptr<SqlitePositionRows>> positions = SqlitePositionRows::Open(store_->connection());
  if (!positions.ok()) return positions.status();
  position_rows_ = *std::move(positions);
  position_table_ = std::make_unique<PositionTable>(*options_.clock, position_rows_.get());
  if (absl::Status loaded = position_rows_->LoadInto(*position_table_); !loaded.ok()) return loaded;
  store_->AddPart(*position_table_);

  absl::StatusOr<std::unique_ptr<SqliteQuarantineRows>> quarantine = SqliteQuarantineRows::Open(store_->connection());
  if (!quarantine.ok()) return quarantine.status();
  quarantine_rows_ = *std::move(quarantine);
  quarantine_table_ = std::make_unique<QuarantineTable>(*quarantine_rows_, options_.max_quarantined_webhooks);
  if (absl::Status loaded = quarantine_table_->Load(); !loaded.ok()) return loaded;
  store_->AddPart(*quarantine_table_);
  return absl::OkStatus();
}

SqliteEventLog::~SqliteEventLog() {
  if (writer_ != nullptr) Close(absl::InfiniteFuture()).IgnoreError();
}

void SqliteEventLog::Append(NewEvent event, AppendDone done) {
  writer_->Submit(std::make_unique<AppendCommand>(*store_, options_.metrics, std::move(event), std::move(done)));
}

LogPosition SqliteEventLog::StartTail(TailVisitor visit) { return tail_.Start(std::move(visit)); }

absl::StatusOr<LogPosition> SqliteEventLog::Read(LogPosition after, const EventFilter& filter, const ReadLimits& limits,
                                                 absl::FunctionRef<void(const StoredEvent&)> visit) {
  SqliteReaderPool::Lease lease(*readers_);
  if (lease.get() == nullptr) return ClosedError();
  return lease.get()->Read(after, filter, limits, visit);
}

absl::StatusOr<LogPosition> SqliteEventLog::PositionAt(uint64_t sequence) {
  SqliteReaderPool::Lease lease(*readers_);
  if (lease.get() == nullptr) return ClosedError();
  return lease.get()->PositionAt(sequence);
}

absl::StatusOr<LogPosition> SqliteEventLog::PositionBefore(absl::Time time) {
  SqliteReaderPool::Lease lease(*readers_);
  if (lease.get() == nullptr) return ClosedError();
  return lease.get()->PositionBefore(time);
}

absl::StatusOr<absl::Time> SqliteEventLog::StoredAt(uint64_t sequence) {
  SqliteReaderPool::Lease lease(*readers_);
  if (lease.get() == nullptr) return ClosedError();
  return lease.get()->StoredAt(sequence);
}

absl::StatusOr<FoundEvent> SqliteEventLog::Find(std::string_view event_id) {
  SqliteReaderPool::Lease lease(*readers_);
  if (lease.get() == nullptr) return ClosedError();
  return lease.get()->Find(event_id);
}

absl::StatusOr<LogPosition> SqliteEventLog::FindByRefund(RefundIdKind which, std::string_view id, LogPosition after,
                                                         const ReadLimits& limits,
                                                         absl::FunctionRef<void(const StoredEvent&)> visit) {
  SqliteReaderPool::Lease lease(*readers_);
  if (lease.get() == nullptr) return ClosedError();
  return lease.get()->FindByRefund(which, id, after, limits, visit);
}

void SqliteEventLog::Trim(TrimRequest request, TrimDone done) {
  writer_->Submit(std::make_unique<TrimCommand>(*store_, request, std::move(done)));
}

LogInfo SqliteEventLog::Info() {
  const LogEnds ends = tail_.ends();
  LogInfo info;
  info.log_id = log_id_;
  info.first_sequence = ends.first_sequence;
  info.last = ends.last;
  info.first_stored_at = ends.first_stored_at;
  info.last_stored_at = ends.last_stored_at;
  info.log_bytes = checkpointer_->log_bytes();
  info.wal_bytes = checkpointer_->wal_bytes();
  info.queued_events = writer_->queued_events();
  info.queue_limit_events = options_.limits.queue_limit_events;
  info.queued_bytes = writer_->queued_bytes();
  info.queue_limit_bytes = options_.limits.queue_limit_bytes;
  info.restored_from = restored_from_;
  return info;
}

absl::Status SqliteEventLog::Health() { return writer_->Health(); }

absl::Status SqliteEventLog::Close(absl::Time deadline) {
  if (closed_) return absl::OkStatus();
  if (absl::Status ended = writer_->Close(deadline); !ended.ok()) return ended;
  closed_ = true;
  checkpointer_->Stop();
  readers_->Close();
  if (!absl::IsAborted(writer_->Health())) {
    if (absl::Status shrunk = store_->Shrink(); !shrunk.ok()) {
      // Every answer given is durable in the write-ahead log; the next opening reads it.
      Log(LogLevel::kWarning, "the write-ahead log could not be emptied on closing", {{"cause", shrunk}});
    }
  }
  return absl::OkStatus();
}

}  // namespace refund_relay
