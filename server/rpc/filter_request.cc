#include "server/rpc/filter_request.h"

#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/translate/event_names.h"

namespace refund_relay {
namespace {

using refundrelay::v1::RefundEventType;

constexpr int kMaxEventNames = 64;
constexpr int kMaxClientIds = 256;
constexpr size_t kMaxNameBytes = 128;

std::set<RefundEventType> CheckTypes(const refundrelay::v1::EventFilter& filter, RequestViolations& violations) {
  std::set<RefundEventType> types;
  for (int i = 0; i < filter.event_types_size(); ++i) {
    const RefundEventType type = filter.event_types(i);
    if (EventNamesOfType(type).empty()) {
      violations.Add(absl::StrCat("filter.event_types[", i, "]"),
                     absl::StrCat("no type of refund event has the number ", static_cast<int>(type),
                                  "; to get events whose type the server does not know, list their event_names"));
    }
    types.insert(type);
  }
  return types;
}

std::set<std::string> CheckNames(const refundrelay::v1::EventFilter& filter, RequestViolations& violations) {
  if (filter.event_names_size() > kMaxEventNames) {
    violations.Add("filter.event_names", absl::StrCat("at most ", kMaxEventNames, " are accepted"));
    return {};
  }
  for (int i = 0; i < filter.event_names_size(); ++i) {
    const std::string& name = filter.event_names(i);
    if (!absl::StartsWith(name, "refunded.") || name.size() > kMaxNameBytes) {
      violations.Add(absl::StrCat("filter.event_names[", i, "]"),
                     absl::StrCat("must start with `refunded.` and have at most ", kMaxNameBytes, " bytes"));
    }
  }
  return {filter.event_names().begin(), filter.event_names().end()};
}

std::set<std::string> CheckClientIds(const refundrelay::v1::EventFilter& filter, RequestViolations& violations) {
  if (filter.client_ids_size() > kMaxClientIds) {
    violations.Add("filter.client_ids", absl::StrCat("at most ", kMaxClientIds, " are accepted"));
    return {};
  }
  for (int i = 0; i < filter.client_ids_size(); ++i) {
    if (filter.client_ids(i).empty() || filter.client_ids(i).size() > kMaxNameBytes) {
      violations.Add(absl::StrCat("filter.client_ids[", i, "]"),
                     absl::StrCat("must have 1 to ", kMaxNameBytes, " bytes"));
    }
  }
  return {filter.client_ids().begin(), filter.client_ids().end()};
}

}  // namespace

NormalisedFilter NormaliseFilter(const refundrelay::v1::EventFilter& filter, RequestViolations& violations) {
  const std::set<RefundEventType> types = CheckTypes(filter, violations);
  std::set<std::string> names = CheckNames(filter, violations);
  const std::set<std::string> client_ids = CheckClientIds(filter, violations);

  NormalisedFilter normalised;
  for (const RefundEventType type : types) {
    normalised.shown.add_event_types(type);
    for (const std::string_view name : EventNamesOfType(type)) names.insert(std::string(name));
  }
  for (const std::string& name : names) {
    if (types.count(TypeOfEventName(name)) == 0) normalised.shown.add_event_names(name);
  }
  for (const std::string& id : client_ids) normalised.shown.add_client_ids(id);
  normalised.matching.event_names.assign(names.begin(), names.end());
  normalised.matching.client_ids.assign(client_ids.begin(), client_ids.end());
  return normalised;
}

}  // namespace refund_relay
