// WrittenPositionStore: the PositionStore of a log that has a LogWriter.
#ifndef REFUND_RELAY_SERVER_LOG_WRITTEN_POSITION_STORE_H_
#define REFUND_RELAY_SERVER_LOG_WRITTEN_POSITION_STORE_H_

#include <optional>
#include <string_view>
#include <vector>

#include "server/log/log_writer.h"
#include "server/log/position_store.h"
#include "server/log/position_table.h"

namespace refund_relay {

class WrittenPositionStore final : public PositionStore {
 public:
  // Both must outlive the store; `table` is a part of what the writer commits.
  WrittenPositionStore(LogWriter& writer, PositionTable& table) : writer_(writer), table_(table) {}

  void Commit(PositionCommit commit, CommitDone done) override;
  void Delete(std::string_view subscriber_name, std::optional<uint64_t> expected_version, DeleteDone done) override;
  std::optional<CommittedPosition> Get(std::string_view name) override { return table_.Get(name); }
  std::vector<CommittedPosition> List() override { return table_.List(); }

 private:
  LogWriter& writer_;
  PositionTable& table_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_WRITTEN_POSITION_STORE_H_
