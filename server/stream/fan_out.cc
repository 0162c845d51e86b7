#include "server/stream/fan_out.h"

#include <algorithm>
#include <utility>

#include "server/ops/logging.h"

namespace refund_relay {

const std::shared_ptr<const EncodedEvents>& LiveCommit::Get(bool omit_personal_data) const {
  if (!omit_personal_data) return events_;
  absl::call_once(omit_once_, [this] { omitted_ = OmitPersonalData(*events_); });
  return omitted_;
}

void FanOut::Start(EventLog& log) {
  // The log may publish S+1 before StartTail's answer S is back here: Publish accepts any first commit.
  const LogPosition start = log.StartTail([this](absl::Span<const StoredEvent> events) { Publish(events); });
  absl::MutexLock lock(&mutex_);
  if (last_.sequence == 0) {
    last_ = start;
    window_from_ = start.sequence;
  }
}

void FanOut::AddListener(Listener* listener) {
  absl::MutexLock lock(&listeners_mutex_);
  listeners_.push_back(listener);
}

void FanOut::RemoveListener(Listener* listener) {
  absl::MutexLock lock(&listeners_mutex_);
  listeners_.erase(std::remove(listeners_.begin(), listeners_.end(), listener), listeners_.end());
}

LogPosition FanOut::last() const {
  absl::MutexLock lock(&mutex_);
  return last_;
}

FanOut::Place FanOut::After(uint64_t sequence, size_t max_bytes,
                            std::vector<std::shared_ptr<const LiveCommit>>* commits) const {
  absl::MutexLock lock(&mutex_);
  if (sequence < window_from_) return Place::kBehind;
  // A history read may have seen a commit that was not published yet: then there is nothing here so far.
  if (sequence >= last_.sequence) return Place::kInWindow;
  auto next = std::upper_bound(window_.begin(), window_.end(), sequence,
                               [](uint64_t s, const auto& commit) { return s < commit->last().sequence; });
  size_t bytes = 0;
  for (; next != window_.end() && (bytes == 0 || bytes < max_bytes); ++next) {
    bytes += std::max<size_t>((*next)->bytes(), 1);
    commits->push_back(*next);
  }
  return Place::kInWindow;
}

void FanOut::Publish(absl::Span<const StoredEvent> events) {
  const uint64_t from = events.front().sequence - 1;
  const LogPosition last{events.back().sequence, EventHash(events.back().event_id)};
  auto commit = std::make_shared<const LiveCommit>(EncodeEvents(from, last, /*live=*/true, events));
  std::vector<std::shared_ptr<const LiveCommit>> dropped;  // freed outside the lock
  {
    absl::MutexLock lock(&mutex_);
    if (last_.sequence == 0 && window_.empty()) {
      window_from_ = from;  // before Start() has its answer
    } else if (from != last_.sequence) {
      // Never seen, and never to be delivered across: who stands before this commit reads the log again.
      Log(LogLevel::kError, "the log's tail skipped events; streams go back to history",
          {{"last_sequence", last_.sequence}, {"first_sequence", from + 1}});
      dropped.assign(window_.begin(), window_.end());
      window_.clear();
      window_bytes_ = 0;
      window_from_ = from;
    }
    window_bytes_ += commit->bytes();
    window_.push_back(std::move(commit));
    last_ = last;
    while (window_bytes_ > options_.window_bytes && window_.size() > 1) {
      window_bytes_ -= window_.front()->bytes();
      window_from_ = window_.front()->last().sequence;
      dropped.push_back(std::move(window_.front()));
      window_.pop_front();
    }
  }
  absl::MutexLock lock(&listeners_mutex_);
  for (Listener* listener : listeners_) listener->OnPublished();
}

}  // namespace refund_relay
