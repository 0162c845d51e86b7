// The flags that choose events, shared by tail and list.
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

// Adds --type, --event-name, --client-id and --omit-personal-data to `command`; `*flags` must outlive the parsing.
void AddFilterFlags(CLI::App& command, FilterFlags* flags);

// The filter that the parsed `flags` mean. Pure.
refundrelay::v1::EventFilter FilterOf(const FilterFlags& flags);

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_REFUNDCTL_FILTER_FLAGS_H_
