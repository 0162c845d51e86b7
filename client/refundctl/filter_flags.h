// The flags that choose events, shared by tail, list and positions.
#ifndef REFUND_RELAY_CLIENT_REFUNDCTL_FILTER_FLAGS_H_
#define REFUND_RELAY_CLIENT_REFUNDCTL_FILTER_FLAGS_H_

#include <string>
#include <vector>

#include "CLI/App.hpp"
#include "refundrelay/v1/refund_event_service.pb.h"

namespace refund_relay {

struct FilterFlags {
  std::vector<std::string> types;
  std::vector<std::string> event_names;
  std::vector<std::string> client_ids;
  bool omit_personal_data = false;
};

// Adds --type, --event-name and --client-id to `command`; `*flags` must outlive the parsing.
void AddFilterFlags(CLI::App& command, FilterFlags* flags);

// Adds --omit-personal-data, likewise.
void AddOmitPersonalDataFlag(CLI::App& command, FilterFlags* flags);

// The filter that the parsed `flags` mean. Pure.
refundrelay::v1::EventFilter FilterOf(const FilterFlags& flags);

// `filter` as the flags that mean it; `all events` for an empty one. Pure.
std::string FilterText(const refundrelay::v1::EventFilter& filter);

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_REFUNDCTL_FILTER_FLAGS_H_
