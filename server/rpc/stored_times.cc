#include "server/rpc/stored_times.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace refund_relay {

std::optional<absl::Time> OldestStoredAfter(EventLog& log, uint64_t sequence) {
  const LogInfo info = log.Info();
  // What retention has deleted waits for nobody any more.
  const uint64_t after = std::max(sequence, info.first_sequence - 1);
  if (after >= info.last.sequence) return std::nullopt;
  const absl::StatusOr<absl::Time> stored_at = log.StoredAt(after + 1);
  if (!stored_at.ok()) return std::nullopt;
  return *stored_at;
}

std::map<uint64_t, absl::Time> StoredTimes::After(const std::set<uint64_t>& sequences, absl::Duration patience) {
  absl::MutexLock lock(&state_->mutex);
  std::erase_if(state_->known, [&](const auto& entry) { return sequences.count(entry.first) == 0; });
  std::vector<uint64_t> missing;
  for (const uint64_t sequence : sequences) {
    if (state_->known.count(sequence) == 0) missing.push_back(sequence);
  }
  if (missing.empty()) return state_->known;
  if (!state_->looking) {
    state_->looking = history_.Run([state = state_, missing = std::move(missing)](EventLog& log) {
      std::map<uint64_t, absl::Time> found;
      for (const uint64_t sequence : missing) {
        if (const auto time = OldestStoredAfter(log, sequence); time.has_value()) found.emplace(sequence, *time);
      }
      absl::MutexLock turn_lock(&state->mutex);
      state->known.merge(found);
      state->looking = false;
    });
  }
  state_->mutex.AwaitWithTimeout(absl::Condition(state_.get(), &State::Idle), patience);
  return state_->known;
}

}  // namespace refund_relay
