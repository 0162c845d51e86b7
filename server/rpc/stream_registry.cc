#include "server/rpc/stream_registry.h"

namespace refund_relay {

std::shared_ptr<StreamRecord> StreamRegistry::Open(StreamIdentity identity) {
  absl::MutexLock lock(&mutex_);
  auto record = std::make_shared<StreamRecord>(++opened_, std::move(identity));
  open_.emplace(Key(record->identity().subscriber_name, record->number()), record);
  return record;
}

void StreamRegistry::Close(const StreamRecord& record) {
  absl::MutexLock lock(&mutex_);
  const auto found = open_.find(Key(record.identity().subscriber_name, record.number()));
  if (found == open_.end()) return;
  if (keep_ended_) {
    if (ended_.streams.size() < kMostEnded) {
      ended_.streams.push_back(std::move(found->second));
    } else {
      ended_.forgotten_events += record.progress().position.sequence - record.identity().start.sequence;
    }
  }
  open_.erase(found);
}

std::vector<StreamRegistry::Record> StreamRegistry::List() const {
  absl::MutexLock lock(&mutex_);
  return ListLocked();
}

void StreamRegistry::KeepEnded() {
  absl::MutexLock lock(&mutex_);
  keep_ended_ = true;
}

std::pair<std::vector<StreamRegistry::Record>, StreamRegistry::Ended> StreamRegistry::OpenAndEnded() {
  absl::MutexLock lock(&mutex_);
  return {ListLocked(), std::exchange(ended_, {})};
}

std::vector<StreamRegistry::Record> StreamRegistry::ListLocked() const {
  std::vector<Record> open;
  open.reserve(open_.size());
  for (const auto& [key, record] : open_) open.push_back(record);
  return open;
}

}  // namespace refund_relay
