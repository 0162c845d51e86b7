#include "server/access/access_policy.h"

#include <algorithm>
#include <functional>
#include <set>

namespace refund_relay {

bool EventRights::Sees(std::string_view event_name) const {
  return all || std::binary_search(event_names.begin(), event_names.end(), event_name, std::less<>());
}

bool EventView::Sees(std::string_view event_name) const {
  return std::any_of(rights_.begin(), rights_.end(),
                     [&](const EventRights& rights) { return rights.Sees(event_name); });
}

bool EventView::SeesPersonalData(std::string_view event_name) const {
  return std::any_of(rights_.begin(), rights_.end(),
                     [&](const EventRights& rights) { return rights.personal_data && rights.Sees(event_name); });
}

bool EventView::SeesAll() const {
  return std::any_of(rights_.begin(), rights_.end(), [](const EventRights& rights) { return rights.all; });
}

std::vector<std::string> EventView::EventNames() const {
  std::set<std::string> names;
  for (const EventRights& rights : rights_) names.insert(rights.event_names.begin(), rights.event_names.end());
  return {names.begin(), names.end()};
}

}  // namespace refund_relay
