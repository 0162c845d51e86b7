#include "server/stream/history_reader.h"

#include <string>
#include <utility>

namespace refund_relay {
namespace {

// Copies of what one Read visited, because its views die with the visit.
class Page {
 public:
  void Add(const StoredEvent& event) { copies_.push_back(Copy(event)); }

  std::shared_ptr<const EncodedEvents> Encode(LogPosition after, LogPosition last) const {
    std::vector<StoredEvent> events;
    events.reserve(copies_.size());
    for (const Copied& copy : copies_) {
      events.push_back({copy.sequence, copy.stored_at, copy.event_id, copy.event_name, copy.client_id, copy.event});
    }
    return EncodeEvents(after.sequence, last, /*live=*/false, events);
  }

 private:
  struct Copied {
    uint64_t sequence;
    absl::Time stored_at;
    std::string event_id, event_name, client_id, event;
  };

  static Copied Copy(const StoredEvent& event) {
    return {event.sequence,
            event.stored_at,
            std::string(event.event_id),
            std::string(event.event_name),
            std::string(event.client_id),
            std::string(event.event)};
  }

  std::vector<Copied> copies_;
};

}  // namespace

HistoryReader::HistoryReader(EventLog& log, int threads) : log_(log) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

HistoryReader::~HistoryReader() { Stop(); }

void HistoryReader::ReadPage(LogPosition after, const EventFilter& filter, bool omit_personal_data, PageDone done) {
  // Shared, because a turn that is refused is gone, and `done` must still be called.
  auto shared_done = std::make_shared<PageDone>(std::move(done));
  const bool queued = Run([after, &filter, omit_personal_data, shared_done](EventLog& log) {
    Page page;
    const absl::StatusOr<LogPosition> last =
        log.Read(after, filter, ReadLimits{}, [&page](const StoredEvent& event) { page.Add(event); });
    if (!last.ok()) {
      (*shared_done)(last.status());
      return;
    }
    std::shared_ptr<const EncodedEvents> events = page.Encode(after, *last);
    (*shared_done)(omit_personal_data ? OmitPersonalData(*events) : events);
  });
  if (!queued) (*shared_done)(absl::ResourceExhaustedError("too many reads of history wait; try again later"));
}

bool HistoryReader::Run(Turn turn) {
  absl::MutexLock lock(&mutex_);
  if (stopped_ || turns_.size() >= kMaxWaitingTurns) return false;
  turns_.push_back(std::move(turn));
  return true;
}

void HistoryReader::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void HistoryReader::Work() {
  const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopped_ || !turns_.empty(); };
  while (true) {
    Turn turn;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(&ready));
      if (turns_.empty()) return;
      turn = std::move(turns_.front());
      turns_.pop_front();
    }
    turn(log_);
  }
}

}  // namespace refund_relay
