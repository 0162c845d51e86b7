// Which events a reader wants, in the terms of a log's filter columns.
#ifndef REFUND_RELAY_SERVER_LOG_EVENT_FILTER_H_
#define REFUND_RELAY_SERVER_LOG_EVENT_FILTER_H_

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace refund_relay {

// An event matches when its name is listed (or none is) and its client id is listed (or none is). Matching is exact, by
// bytes. A value type; both lists must be sorted (`Matches` searches them in halves).
struct EventFilter {
  std::vector<std::string> event_names;
  std::vector<std::string> client_ids;

  bool Matches(std::string_view event_name, std::string_view client_id) const {
    return Admits(event_names, event_name) && Admits(client_ids, client_id);
  }

 private:
  static bool Admits(const std::vector<std::string>& list, std::string_view value) {
    return list.empty() || std::binary_search(list.begin(), list.end(), value, std::less<>());
  }
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_EVENT_FILTER_H_
