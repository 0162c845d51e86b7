// HistoryReader: the few threads on which storage is read, for streams that catch up and for look-ups.
#ifndef REFUND_RELAY_SERVER_STREAM_HISTORY_READER_H_
#define REFUND_RELAY_SERVER_STREAM_HISTORY_READER_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/log/event_log.h"
#include "server/stream/encoded_events.h"

namespace refund_relay {

// Reads the log in turns, first come, first served: a turn is one bounded read, so that a stream which reads years of
// history does not hold up one that lacks a page. Thread-safe.
class HistoryReader {
 public:
  using PageDone = absl::AnyInvocable<void(absl::StatusOr<std::shared_ptr<const EncodedEvents>>)>;
  using Turn = absl::AnyInvocable<void(EventLog&)>;

  // `log` must outlive the reader.
  HistoryReader(EventLog& log, int threads);
  ~HistoryReader();
  HistoryReader(const HistoryReader&) = delete;
  HistoryReader& operator=(const HistoryReader&) = delete;

  // Reads the next page after `after` through `filter` (which must live until `done`) and calls `done` on a thread of
  // this reader, with the errors of EventLog::Read. RESOURCE_EXHAUSTED, on the caller's thread, when too much waits.
  void ReadPage(LogPosition after, const EventFilter& filter, bool omit_personal_data, PageDone done);

  // Runs `turn`, one bounded use of the log, on a thread of this reader. False, without running it, when too much waits
  // or the reader was stopped.
  [[nodiscard]] bool Run(Turn turn);

  // Runs what waits, then ends the threads. Blocks.
  void Stop();

 private:
  // A stream has at most one turn waiting and a call one, so this is above what their own limits let through.
  static constexpr size_t kMaxWaitingTurns = 1 << 16;

  void Work();

  EventLog& log_;
  absl::Mutex mutex_;
  std::deque<Turn> turns_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_STREAM_HISTORY_READER_H_
