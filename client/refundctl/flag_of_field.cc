#include "client/refundctl/flag_of_field.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace refund_relay {
namespace {

// Of all commands: none uses a field's name for something else.
constexpr std::array<std::pair<std::string_view, std::string_view>, 18> kFlags = {{
    {"subscriber_name", "--name"},
    {"filter.event_types", "--type"},
    {"filter.event_names", "--event-name"},
    {"filter.client_ids", "--client-id"},
    {"omit_personal_data", "--omit-personal-data"},
    {"start_from", "--from"},
    {"after", "--after"},
    {"at_time", "--at-time"},
    {"until", "--until"},
    {"heartbeat_interval", "--heartbeat-interval"},
    {"stored_from", "--since"},
    {"stored_until", "--until-time"},
    {"refund_id", "--refund"},
    {"position", "--position"},
    {"expected_version", "--expected-version"},
    {"quarantine_ids", "ID"},
    {"reason", "--reason"},
    {"payment_gateway_refund_id", "--payment-gateway-refund"},
}};

// What of a flag's value a field below the flag's own means: `[1]` is its second value.
std::string Part(std::string_view below) {
  uint32_t index = 0;
  if (below.empty()) return "";
  if (below.front() == '[' && below.back() == ']' &&
      absl::SimpleAtoi(std::string(below.substr(1, below.size() - 2)), &index)) {
    return absl::StrCat(", value ", index + 1);
  }
  return absl::StrCat(", ", std::string(below.substr(below.front() == '.' ? 1 : 0)));
}

}  // namespace

std::string FlagOfField(std::string_view field) {
  for (const auto& [name, flag] : kFlags) {
    if (field.substr(0, name.size()) != name) continue;
    const std::string_view below = field.substr(name.size());
    if (below.empty() || below.front() == '.' || below.front() == '[') {
      return absl::StrCat(std::string(flag), Part(below));
    }
  }
  return "";
}

std::string WithFlags(std::string_view text) {
  constexpr std::string_view kNameCharacters = "abcdefghijklmnopqrstuvwxyz_.";
  std::string result;
  while (!text.empty()) {
    const size_t word = std::min(text.find_first_not_of(kNameCharacters), text.size());
    const size_t length = std::max<size_t>(word, 1);
    const std::string_view name = text.substr(0, length);
    const bool is_field = name.find('_') != std::string_view::npos;
    const auto* found =
        std::find_if(kFlags.begin(), kFlags.end(), [&](const auto& flag) { return flag.first == name; });
    absl::StrAppend(&result, std::string(is_field && found != kFlags.end() ? found->second : name));
    text.remove_prefix(length);
  }
  return result;
}

}  // namespace refund_relay
