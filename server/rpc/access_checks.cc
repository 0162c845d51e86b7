#include "server/rpc/access_checks.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/log/status_reason.h"
#include "server/rpc/status_table.h"
#include "server/translate/event_names.h"

namespace refund_relay {
namespace {

namespace v1 = refundrelay::v1;

absl::Status NotAllowedError(std::string_view what, std::string_view right) {
  return WithReason(absl::PermissionDeniedError(absl::StrCat(
                        "the access policy does not let this caller ", absl::string_view(what.data(), what.size()),
                        "; ask the operator (right: ", absl::string_view(right.data(), right.size()), ")")),
                    "NOT_ALLOWED", {{"right", std::string(right)}});
}

// Of what was asked for, in its own words.
std::vector<std::string> Forbidden(const v1::EventFilter& asked, const EventView& view) {
  std::vector<std::string> forbidden;
  for (const int type : asked.event_types()) {
    const auto names = EventNamesOfType(static_cast<v1::RefundEventType>(type));
    const bool all_seen =
        std::all_of(names.begin(), names.end(), [&](std::string_view name) { return view.Sees(name); });
    if (!all_seen) forbidden.push_back(v1::RefundEventType_Name(static_cast<v1::RefundEventType>(type)));
  }
  for (const std::string& name : asked.event_names()) {
    if (!view.Sees(name)) forbidden.push_back(name);
  }
  return forbidden;
}

// `names` as a filter shows them: a type stands for its names.
void ShowNames(const std::vector<std::string>& names, v1::EventFilter& shown) {
  const auto has = [&](std::string_view name) {
    return std::binary_search(names.begin(), names.end(), name, std::less<>());
  };
  for (int type = 0; type < v1::RefundEventType_ARRAYSIZE; ++type) {
    const auto of_type = EventNamesOfType(static_cast<v1::RefundEventType>(type));
    if (!of_type.empty() && std::all_of(of_type.begin(), of_type.end(), has)) {
      shown.add_event_types(static_cast<v1::RefundEventType>(type));
    }
  }
  for (const std::string& name : names) {
    const v1::RefundEventType type = TypeOfEventName(name);
    const auto& types = shown.event_types();
    if (std::find(types.begin(), types.end(), type) == types.end()) shown.add_event_names(name);
  }
}

}  // namespace

absl::StatusOr<NormalisedFilter> NarrowFilter(const NormalisedFilter& asked, const EventView& view) {
  if (const auto forbidden = Forbidden(asked.shown, view); !forbidden.empty()) {
    return NotAllowedError(absl::StrCat("see ", absl::StrJoin(forbidden, ", "), ", which the filter asks for"),
                           "events");
  }
  NormalisedFilter narrowed = asked;
  if (!asked.matching.event_names.empty() || view.SeesAll()) return narrowed;
  narrowed.matching.event_names = view.EventNames();
  if (narrowed.matching.event_names.empty()) return NotAllowedError("see any event", "events");
  ShowNames(narrowed.matching.event_names, narrowed.shown);
  return narrowed;
}

absl::Status NarrowSubscribe(const Caller& caller, CheckedSubscribe& request) {
  const std::optional<EventRights> rights = caller.RightsAs(request.subscriber_name);
  if (!rights.has_value()) {
    return NotAllowedError(absl::StrCat("subscribe as ", request.subscriber_name), "subscriber_name");
  }
  absl::StatusOr<NormalisedFilter> narrowed =
      NarrowFilter({request.options.filter, request.asked_filter}, EventView({*rights}));
  if (!narrowed.ok()) return narrowed.status();
  request.options.filter = std::move(narrowed->matching);
  request.shown_filter = std::move(narrowed->shown);
  request.options.omit_personal_data = request.options.omit_personal_data || !rights->personal_data;
  return absl::OkStatus();
}

absl::Status CheckMayAdminister(const Caller& caller) {
  return caller.MayAdminister() ? absl::OkStatus() : NotAllowedError("use AdminService", "administer");
}

absl::Status CheckMayLookUp(const Caller& caller, const v1::ListEventsRequest& request) {
  if (request.refund_id().empty() && request.payment_gateway_refund_id().empty()) return absl::OkStatus();
  return caller.MayLookUpByRefund() ? absl::OkStatus()
                                    : NotAllowedError("look events up by refund", "look_up_by_refund");
}

absl::Status CheckMayCommitFor(const Caller& caller, std::string_view subscriber_name) {
  if (!IsSubscriberName(subscriber_name) || caller.MayCommitFor(subscriber_name)) return absl::OkStatus();
  return NotAllowedError(absl::StrCat("commit or get the position of ", std::string(subscriber_name)),
                         "commit_for_others");
}

absl::Status CheckCommittedFilter(const Caller& caller, const v1::CommitPositionRequest& request) {
  const std::optional<EventRights> rights = caller.RightsAs(request.subscriber_name());
  if (!rights.has_value()) return absl::OkStatus();
  RequestViolations violations;
  const NormalisedFilter filter = NormaliseFilter(request.filter(), violations);
  if (!violations.ToStatus().ok()) return absl::OkStatus();
  return NarrowFilter(filter, EventView({*rights})).status();
}

}  // namespace refund_relay
