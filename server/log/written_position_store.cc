#include "server/log/written_position_store.h"

#include <memory>
#include <string>
#include <utility>

namespace refund_relay {
namespace {

class CommitPositionCommand final : public WriteCommand {
 public:
  CommitPositionCommand(PositionTable& table, PositionCommit commit, PositionStore::CommitDone done)
      : table_(table), commit_(std::move(commit)), done_(std::move(done)) {}

  absl::Status Execute() override { return table_.Commit(commit_, &outcome_); }
  void Answer(const absl::Status& status) override { status.ok() ? done_(outcome_) : done_(status); }
  size_t bytes() const override { return sizeof(*this) + commit_.subscriber_name.size() + commit_.filter.size(); }

 private:
  PositionTable& table_;
  const PositionCommit commit_;
  PositionStore::CommitDone done_;
  absl::StatusOr<uint64_t> outcome_ = 0;
};

class DeletePositionCommand final : public WriteCommand {
 public:
  DeletePositionCommand(PositionTable& table, std::string_view name, std::optional<uint64_t> expected_version,
                        PositionStore::DeleteDone done)
      : table_(table), name_(name), expected_version_(expected_version), done_(std::move(done)) {}

  absl::Status Execute() override { return table_.Delete(name_, expected_version_, &outcome_); }
  void Answer(const absl::Status& status) override { status.ok() ? done_(std::move(outcome_)) : done_(status); }
  size_t bytes() const override { return sizeof(*this) + name_.size(); }

 private:
  PositionTable& table_;
  const std::string name_;
  const std::optional<uint64_t> expected_version_;
  PositionStore::DeleteDone done_;
  absl::StatusOr<CommittedPosition> outcome_ = CommittedPosition();
};

}  // namespace

void WrittenPositionStore::Commit(PositionCommit commit, CommitDone done) {
  writer_.Submit(std::make_unique<CommitPositionCommand>(table_, std::move(commit), std::move(done)));
}

void WrittenPositionStore::Delete(std::string_view subscriber_name, std::optional<uint64_t> expected_version,
                                  DeleteDone done) {
  writer_.Submit(std::make_unique<DeletePositionCommand>(table_, subscriber_name, expected_version, std::move(done)));
}

}  // namespace refund_relay
