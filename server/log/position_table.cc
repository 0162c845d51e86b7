#include "server/log/position_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/log/status_reason.h"

namespace refund_relay {
namespace {

absl::Status VersionChangedError(const CommittedPosition* current) {
  const uint64_t version = current == nullptr ? 0 : current->version;
  return WithReason(
      absl::AbortedError(absl::StrCat("the committed position has version ", version,
                                      " now: another process committed in between; read it again and decide")),
      "VERSION_CHANGED", {{"current", absl::StrCat(version)}});
}

bool Differs(const CommittedPosition* current, std::optional<uint64_t> expected_version) {
  return expected_version.has_value() && *expected_version != (current == nullptr ? 0 : current->version);
}

}  // namespace

void PositionTable::Load(std::vector<CommittedPosition> positions, uint64_t version_floor) {
  absl::MutexLock lock(&mu_);
  version_floor_ = version_floor;
  for (CommittedPosition& position : positions) {
    version_floor_ = std::max(version_floor_, position.version);
    std::string name = position.subscriber_name;
    positions_.emplace(std::move(name), std::move(position));
  }
}

const CommittedPosition* PositionTable::Find(const std::string& subscriber_name) {
  if (const auto staged = staged_.find(subscriber_name); staged != staged_.end()) {
    return staged->second.has_value() ? &*staged->second : nullptr;
  }
  absl::MutexLock lock(&mu_);
  const auto found = positions_.find(subscriber_name);
  // Stays valid without the lock: only this thread changes the map.
  return found == positions_.end() ? nullptr : &found->second;
}

absl::Status PositionTable::CheckRules(const PositionCommit& commit, const CommittedPosition* current) {
  if (Differs(current, commit.expected_version)) return VersionChangedError(current);
  if (current == nullptr) {
    absl::MutexLock lock(&mu_);
    if (positions_.size() + staged_.size() >= kMaxCommittedPositions) {
      return absl::ResourceExhaustedError(
          absl::StrCat("positions are kept for ", kMaxCommittedPositions,
                       " names already, the most there can be; delete those of subscribers that are gone"));
    }
  } else if (!commit.expected_version.has_value() && commit.position.sequence < current->position.sequence) {
    return WithReason(absl::FailedPreconditionError(absl::StrCat(
                          "the position at sequence ", commit.position.sequence, " lies behind the committed one, at ",
                          current->position.sequence, "; to go back on purpose, send its version as expected_version")),
                      "WOULD_REWIND");
  }
  return absl::OkStatus();
}

absl::Status PositionTable::Commit(const PositionCommit& commit, absl::StatusOr<uint64_t>* outcome) {
  const CommittedPosition* const current = Find(commit.subscriber_name);
  if (absl::Status allowed = CheckRules(commit, current); !allowed.ok()) {
    *outcome = std::move(allowed);
    return absl::OkStatus();
  }
  if (current != nullptr && current->position == commit.position && current->filter == commit.filter) {
    *outcome = current->version;
    return absl::OkStatus();
  }
  CommittedPosition next{commit.subscriber_name, commit.position, version_floor_ + 1, commit.filter,
                         absl::FromUnixMicros(absl::ToUnixMicros(clock_.Now()))};
  if (rows_ != nullptr) {
    if (absl::Status written = rows_->Write(next); !written.ok()) return written;
  }
  version_floor_ = next.version;
  *outcome = next.version;
  staged_[commit.subscriber_name] = std::move(next);
  return absl::OkStatus();
}

absl::Status PositionTable::Delete(const std::string& subscriber_name, std::optional<uint64_t> expected_version,
                                   absl::StatusOr<CommittedPosition>* outcome) {
  const CommittedPosition* const current = Find(subscriber_name);
  if (current == nullptr) {
    *outcome = WithReason(absl::NotFoundError("no position is kept under this name"), "POSITION_UNKNOWN");
    return absl::OkStatus();
  }
  if (Differs(current, expected_version)) {
    *outcome = VersionChangedError(current);
    return absl::OkStatus();
  }
  if (rows_ != nullptr) {
    if (absl::Status erased = rows_->Erase(subscriber_name, version_floor_); !erased.ok()) return erased;
  }
  *outcome = *current;
  staged_[subscriber_name] = std::nullopt;
  return absl::OkStatus();
}

void PositionTable::Published() {
  if (staged_.empty()) return;
  absl::MutexLock lock(&mu_);
  for (auto& [name, position] : staged_) {
    if (position.has_value()) {
      positions_.insert_or_assign(name, *std::move(position));
    } else {
      positions_.erase(name);
    }
  }
  staged_.clear();
}

std::optional<CommittedPosition> PositionTable::Get(std::string_view subscriber_name) {
  absl::MutexLock lock(&mu_);
  const auto found = positions_.find(subscriber_name);
  if (found == positions_.end()) return std::nullopt;
  return found->second;
}

std::vector<CommittedPosition> PositionTable::List() {
  absl::MutexLock lock(&mu_);
  std::vector<CommittedPosition> all;
  all.reserve(positions_.size());
  for (const auto& [name, position] : positions_) all.push_back(position);
  return all;
}

}  // namespace refund_relay
