#include "client/filter_cover.h"

#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"

namespace refund_relay {
namespace {

using refundrelay::v1::EventFilter;

std::string NameOfType(int type) {
  switch (type) {
    case refundrelay::v1::REFUND_EVENT_TYPE_PAY_PER_USE:
      return "refunded.pay_per_use";
    case refundrelay::v1::REFUND_EVENT_TYPE_SUBSCRIPTION:
      return "refunded.subscription";
    case refundrelay::v1::REFUND_EVENT_TYPE_PASS:
      return "refunded.pass";
    default:
      return absl::StrCat("type ", type);
  }
}

std::set<std::string> Names(const EventFilter& filter) {
  std::set<std::string> names(filter.event_names().begin(), filter.event_names().end());
  for (const int type : filter.event_types()) names.insert(NameOfType(type));
  return names;
}

std::set<std::string> ClientIds(const EventFilter& filter) {
  return {filter.client_ids().begin(), filter.client_ids().end()};
}

// An empty set stands for everything.
bool SetCovers(const std::set<std::string>& wide, const std::set<std::string>& narrow) {
  return wide.empty() || (!narrow.empty() && std::includes(wide.begin(), wide.end(), narrow.begin(), narrow.end()));
}

}  // namespace

bool Covers(const EventFilter& wide, const EventFilter& narrow) {
  return SetCovers(Names(wide), Names(narrow)) && SetCovers(ClientIds(wide), ClientIds(narrow));
}

}  // namespace refund_relay
