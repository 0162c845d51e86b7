#include "client/refundctl/filter_flags.h"

#include "CLI/Validators.hpp"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/printable.h"
#include "client/refundctl/value_text.h"

namespace refund_relay {

void AddFilterFlags(CLI::App& command, FilterFlags* flags) {
  command.add_option("--type", flags->types, "Only these types, comma-separated: pass, subscription, pay_per_use")
      ->delimiter(',')
      ->type_name("TYPE,...")
      ->check(CLI::IsMember({"pass", "subscription", "pay_per_use"}).description(""));
  command
      .add_option("--event-name", flags->event_names,
                  "Also these event names, comma-separated, known or not, for example refunded.bundle")
      ->delimiter(',')
      ->type_name("NAME,...");
  command.add_option("--client-id", flags->client_ids, "Only events of these client ids, comma-separated")
      ->delimiter(',')
      ->type_name("ID,...");
}

void AddOmitPersonalDataFlag(CLI::App& command, FilterFlags* flags) {
  command.add_flag("--omit-personal-data", flags->omit_personal_data, "Ask the server to leave out all personal data");
}

refundrelay::v1::EventFilter FilterOf(const FilterFlags& flags) {
  refundrelay::v1::EventFilter filter;
  for (const auto& type : flags.types) {
    refundrelay::v1::RefundEventType value;
    if (refundrelay::v1::RefundEventType_Parse(absl::StrCat("REFUND_EVENT_TYPE_", absl::AsciiStrToUpper(type)),
                                               &value)) {
      filter.add_event_types(value);
    }
  }
  for (const auto& name : flags.event_names) filter.add_event_names(name);
  for (const auto& id : flags.client_ids) filter.add_client_ids(id);
  return filter;
}

std::string FilterText(const refundrelay::v1::EventFilter& filter) {
  std::vector<std::string> types;
  for (const int type : filter.event_types())
    types.push_back(EnumText(refundrelay::v1::RefundEventType_Name(type), "REFUND_EVENT_TYPE_", type));
  std::vector<std::string> flags;
  const auto add = [&flags](const char* flag, const auto& values) {
    if (!values.empty()) flags.push_back(absl::StrCat(flag, Printable(absl::StrJoin(values, ","))));
  };
  add("--type=", types);
  add("--event-name=", filter.event_names());
  add("--client-id=", filter.client_ids());
  return flags.empty() ? "all events" : absl::StrJoin(flags, " ");
}

}  // namespace refund_relay
