#include "server/rpc/stream_recount.h"

#include <algorithm>
#include <numeric>
#include <string>

namespace refund_relay {
namespace {

// Of one step, so that streams which read history wait for the audit no longer than for each other.
constexpr ReadLimits kStepLimits = {.max_events = 1024, .max_bytes = 1 << 20, .max_scanned = 1024};

}  // namespace

StreamRecount::StreamRecount(std::vector<Question> questions, const Budget& budget)
    : questions_(std::move(questions)),
      left_(budget),
      by_start_(questions_.size()),
      group_of_(questions_.size()),
      matched_at_start_(questions_.size()) {
  std::iota(by_start_.begin(), by_start_.end(), 0);
  std::sort(by_start_.begin(), by_start_.end(),
            [this](size_t a, size_t b) { return questions_[a].from < questions_[b].from; });
  GroupOf known;
  for (size_t i = 0; i < questions_.size(); ++i) {
    const EventFilter& filter = *questions_[i].filter;
    const auto [found, is_new] = known.try_emplace({filter.event_names, filter.client_ids}, groups_.size());
    if (is_new) {
      groups_.emplace_back();
      filters_.push_back(&filter);
    }
    group_of_[i] = found->second;
  }
}

void StreamRecount::Step(EventLog& log) {
  if (done()) return;
  if (open_.empty()) at_ = std::max(at_, questions_[by_start_[next_]].from);
  OpenUpTo(at_);
  CloseUpTo(at_);
  if (open_.empty()) return;
  const absl::StatusOr<LogPosition> scanned =
      log.Read({at_, 0}, EventFilter{}, kStepLimits, [this](const StoredEvent& event) { Visit(event); });
  if (!scanned.ok()) {
    OnFailedRead(scanned.status(), log);
  } else if (scanned->sequence <= at_) {
    GiveUpAll();  // the log ends before what the streams say that they have examined
  } else {
    at_ = scanned->sequence;
    CloseUpTo(at_);
  }
  if (left_.events == 0 || left_.matches == 0) GiveUpAll();
}

void StreamRecount::Visit(const StoredEvent& event) {
  OpenUpTo(event.sequence - 1);
  CloseUpTo(event.sequence - 1);
  left_.events -= std::min<uint64_t>(left_.events, 1);
  for (size_t i = 0; i < groups_.size(); ++i) {
    if (groups_[i].open == 0) continue;
    left_.matches -= std::min<uint64_t>(left_.matches, 1);
    if (filters_[i]->Matches(event.event_name, event.client_id)) ++groups_[i].matched;
  }
}

void StreamRecount::OpenUpTo(uint64_t sequence) {
  for (; next_ < by_start_.size() && questions_[by_start_[next_]].from <= sequence; ++next_) {
    const size_t question = by_start_[next_];
    Group& group = groups_[group_of_[question]];
    ++group.open;
    matched_at_start_[question] = group.matched;
    open_.emplace(questions_[question].to, question);
  }
}

void StreamRecount::CloseUpTo(uint64_t sequence) {
  for (; !open_.empty() && open_.top().first <= sequence; open_.pop()) {
    const size_t question = open_.top().second;
    Group& group = groups_[group_of_[question]];
    --group.open;
    questions_[question].matching = group.matched - matched_at_start_[question];
  }
}

void StreamRecount::GiveUpBefore(uint64_t sequence) {
  for (; !open_.empty(); open_.pop()) --groups_[group_of_[open_.top().second]].open;
  while (next_ < by_start_.size() && questions_[by_start_[next_]].from < sequence) ++next_;
  at_ = std::max(at_, sequence);
}

void StreamRecount::GiveUpAll() {
  GiveUpBefore(at_);
  next_ = by_start_.size();
}

void StreamRecount::OnFailedRead(const absl::Status& status, EventLog& log) {
  if (absl::IsDataLoss(status)) {
    GiveUpBefore(at_ + 1);  // the next record is damaged: who should have got it cannot be told
  } else if (const uint64_t first = log.Info().first_sequence; absl::IsOutOfRange(status) && first > at_ + 1) {
    GiveUpBefore(first - 1);  // retention was here in between
  } else {
    GiveUpAll();
  }
}

}  // namespace refund_relay
