// StreamRecount: counts from the log itself how many events each of many streams should have delivered.
#ifndef REFUND_RELAY_SERVER_RPC_STREAM_RECOUNT_H_
#define REFUND_RELAY_SERVER_RPC_STREAM_RECOUNT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "server/log/event_filter.h"
#include "server/log/event_log.h"

namespace refund_relay {

// Answers many questions "how many events of (from, to] match this filter?" by one pass over the log, in bounded steps.
// Streams with equal filters are counted together. It shares nothing with the path that events take to a subscriber but
// EventLog::Read and EventFilter::Matches. Not thread-safe.
class StreamRecount {
 public:
  struct Question {
    const EventFilter* filter;  // must outlive the recount
    uint64_t from = 0;
    uint64_t to = 0;  // at least `from`
    // The answer; stays unset when the budget ended before it, or the log could not be read there.
    std::optional<uint64_t> matching = std::nullopt;
  };

  // What all steps together may cost.
  struct Budget {
    uint64_t events = 1 << 17;   // read
    uint64_t matches = 1 << 22;  // events times distinct filters that are asked for there
  };

  StreamRecount(std::vector<Question> questions, const Budget& budget);

  bool done() const { return open_.empty() && next_ == by_start_.size(); }

  // One bounded read. Blocks on storage.
  void Step(EventLog& log);

  // In the order in which they were asked.
  const std::vector<Question>& questions() const { return questions_; }

 private:
  // Streams with one filter.
  struct Group {
    uint64_t open = 0;     // questions that are being counted
    uint64_t matched = 0;  // events since the first step
  };
  using GroupOf = std::map<std::pair<std::vector<std::string>, std::vector<std::string>>, size_t>;
  using End = std::pair<uint64_t, size_t>;  // `to` and the question

  void OpenUpTo(uint64_t sequence);
  void CloseUpTo(uint64_t sequence);
  void Visit(const StoredEvent& event);
  // Leaves questions unanswered: those being counted, and of the others those that begin before `sequence`.
  void GiveUpBefore(uint64_t sequence);
  void GiveUpAll();
  void OnFailedRead(const absl::Status& status, EventLog& log);

  std::vector<Question> questions_;
  Budget left_;
  std::vector<size_t> by_start_;  // questions by `from`
  size_t next_ = 0;               // of by_start_: not begun yet
  std::vector<size_t> group_of_;  // by question
  std::vector<const EventFilter*> filters_;
  std::vector<Group> groups_;
  std::vector<uint64_t> matched_at_start_;                              // by question
  std::priority_queue<End, std::vector<End>, std::greater<End>> open_;  // being counted, by `to`
  uint64_t at_ = 0;                                                     // counted up to here
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_STREAM_RECOUNT_H_
