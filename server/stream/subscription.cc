#include "server/stream/subscription.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/log/status_reason.h"

namespace refund_relay {

Subscription::Subscription(const FanOut& fan_out, Options options)
    : fan_out_(fan_out),
      options_(std::move(options)),
      position_(options_.start),
      said_(options_.start),
      previous_sequence_(options_.start.sequence),
      accepted_to_(options_.start.sequence) {}

Subscription::Step Subscription::Next() {
  // Each turn either returns or moves on through a range of which nothing matched.
  while (true) {
    if (told_caught_up_ && options_.stop_when_caught_up) return End{absl::OkStatus()};
    if (std::optional<Batch> batch = Gather(); batch.has_value()) {
      said_ = batch->position;
      return std::move(*batch);
    }
    if (ReachedBound()) {
      const bool say_position = said_.sequence < position_.sequence;
      said_ = position_;
      return End{absl::OkStatus(), say_position};
    }
    // Told as soon as the stream has what was there when it went live: on a busy log something newer is always there.
    if (live_ && !told_caught_up_ && position_.sequence >= catch_up_target_) {
      told_caught_up_ = true;
      said_ = position_;
      return CaughtUp{};
    }
    if (failed_.has_value()) return End{*failed_};
    if (reading_history_) return ReadHistory{};
    if (std::optional<Step> step = FindMore(); step.has_value()) return *std::move(step);
  }
}

std::optional<Subscription::Step> Subscription::FindMore() {
  std::vector<std::shared_ptr<const LiveCommit>> commits;
  if (fan_out_.After(position_.sequence, options_.max_batch_bytes, &commits) == FanOut::Place::kBehind) {
    told_caught_up_ = false;
    if (live_) {
      live_ = false;
      said_ = position_;
      return FellBehind{};
    }
    reading_history_ = true;
    return ReadHistory{};
  }
  if (!live_) {
    live_ = true;
    catch_up_target_ = fan_out_.last().sequence;
    if (position_.sequence >= catch_up_target_) return std::nullopt;
  }
  if (commits.empty()) return Wait{};
  for (const auto& commit : commits) {
    if (!Accept(commit->Get(options_.omit_personal_data))) break;  // what was accepted before it still goes out
  }
  return std::nullopt;
}

void Subscription::OnHistory(absl::StatusOr<std::shared_ptr<const EncodedEvents>> page) {
  reading_history_ = false;
  if (!page.ok()) {
    failed_ = page.status();
    return;
  }
  if ((*page)->last.sequence <= (*page)->from) {
    // The window begins later, so there must be something: reading again would go round for ever.
    failed_ = WithReason(absl::InternalError(absl::StrCat("the log has nothing after sequence ", (*page)->from,
                                                          ", yet the newest commits begin later; report this")),
                         "GAP");
    return;
  }
  Accept(*std::move(page));
}

bool Subscription::Accept(std::shared_ptr<const EncodedEvents> events) {
  // A live commit may begin before the position (history ended inside it); beginning after it would be a gap.
  if (events->from > accepted_to_) {
    failed_ = WithReason(absl::InternalError(absl::StrCat("history and live do not join: examined up to sequence ",
                                                          accepted_to_, ", the next range begins after ", events->from,
                                                          "; resume from the last position and report this")),
                         "GAP");
    return false;
  }
  if (events->last.sequence <= accepted_to_) return true;  // nothing new in it
  accepted_to_ = events->last.sequence;
  accepted_.push_back(std::move(events));
  return true;
}

std::optional<Subscription::Batch> Subscription::Gather() {
  bool full = false;
  bool live = true;
  uint64_t last_delivered = previous_sequence_;
  while (!accepted_.empty() && !full && !ReachedBound()) {
    const EncodedEvents& events = *accepted_.front();
    const std::vector<EncodedEntry>& entries = events.entries;
    size_t run = next_entry_;  // where the run of matching entries that ends at `i` began
    size_t i = next_entry_;
    const auto close_run = [&] {
      if (run < i) composer_.AddRun(events, run, i);
    };
    size_t run_bytes = 0;
    for (; i < entries.size(); ++i) {
      const EncodedEntry& entry = entries[i];
      if (options_.until.has_value() && entry.sequence > options_.until->sequence) break;
      const bool wanted =
          entry.sequence > position_.sequence && options_.filter.Matches(entry.event_name, entry.client_id);
      if (!wanted) {
        close_run();
        run = i + 1;
        run_bytes = 0;
      } else {
        const size_t events_so_far = composer_.events() + (i - run);
        const size_t bytes_so_far = composer_.bytes() + run_bytes;
        if (events_so_far > 0 && (events_so_far >= options_.max_batch_events ||
                                  bytes_so_far + (entry.end - entry.begin) > options_.max_batch_bytes)) {
          full = true;
          break;
        }
        run_bytes += entry.end - entry.begin;
        last_delivered = entry.sequence;
        live = live && events.live;
      }
      if (entry.sequence > position_.sequence) position_ = {entry.sequence, entry.event_hash};
    }
    close_run();
    next_entry_ = i;
    if (full) break;
    if (options_.until.has_value() && events.last.sequence >= options_.until->sequence) {
      position_ = *options_.until;
      break;
    }
    position_ = events.last;
    accepted_.pop_front();
    next_entry_ = 0;
  }
  if (composer_.empty()) return std::nullopt;
  Batch batch;
  batch.events = composer_.events();
  batch.position = position_;
  batch.message = composer_.Finish(previous_sequence_, live, options_.log_id, position_);
  previous_sequence_ = last_delivered;
  return batch;
}

}  // namespace refund_relay
