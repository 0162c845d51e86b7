// refundctl subscribers: who reads, how far, and who should but does not.
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/printable.h"
#include "client/refundctl/filter_flags.h"
#include "client/refundctl/flag_checks.h"
#include "client/refundctl/session.h"
#include "client/refundctl/value_text.h"
#include "refund_relay/position_text.h"

namespace refund_relay {
namespace {

using refundrelay::v1::Subscriber;

constexpr uint32_t kPageSize = 1000;

// How long its oldest event waits, to the millisecond and no digit more.
std::string LagText(const Subscriber& subscriber) {
  const std::string events = absl::StrCat(subscriber.lag_events(), subscriber.lag_events() == 1 ? " event" : " events");
  if (!subscriber.has_lag()) return events;
  const auto lag = absl::Seconds(subscriber.lag().seconds()) + absl::Nanoseconds(subscriber.lag().nanos());
  return absl::StrCat(events, ", ", absl::FormatDuration(absl::Trunc(lag, absl::Milliseconds(1))));
}

std::string SubscriberLine(const Subscriber& subscriber) {
  const std::string state =
      EnumText(refundrelay::v1::SubscriberState_Name(subscriber.state()), "SUBSCRIBER_STATE_", subscriber.state());
  std::string line = absl::StrFormat("%-20s  %-12s  lag %s  at %s", Printable(subscriber.subscriber_name()), state,
                                     LagText(subscriber), Printable(FormatPosition(subscriber.position())));
  if (subscriber.has_committed_position()) {
    absl::StrAppend(&line, "  committed ", subscriber.committed_position().sequence());
  }
  if (subscriber.has_connected_at()) {
    absl::StrAppend(&line, "  since ", FormatTimeMillis(subscriber.connected_at()));
  }
  if (!subscriber.peer().empty()) absl::StrAppend(&line, "  peer ", Printable(subscriber.peer()));
  absl::StrAppend(&line, "  filter ", FilterText(subscriber.filter()));
  if (!subscriber.state_detail().empty()) absl::StrAppend(&line, "\n    ", Printable(subscriber.state_detail()));
  return line;
}

int RunSubscribers(const std::string& name, const GlobalOptions& global) {
  Session session(global);
  refundrelay::v1::ListSubscribersRequest request;
  request.set_subscriber_name(name);
  request.set_page_size(kPageSize);
  bool any = false;
  do {
    refundrelay::v1::ListSubscribersResponse response;
    int failed = session.Ask(*session.admin_stub, &Session::AdminStub::ListSubscribers, request, &response);
    if (failed != kExitOk) return failed;
    for (const auto& subscriber : response.subscribers()) {
      any = true;
      failed = session.Finish(
          session.events.PrintMessage("subscriber", subscriber, SubscriberLine(subscriber), &subscriber.position()));
      if (failed != kExitOk) return failed;
    }
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  if (!any) {
    session.notices.Notice("none", absl::StrCat("nobody subscribes", name.empty() ? "" : " under the name ", name,
                                                ", and no position is committed"));
  }
  return kExitOk;
}

}  // namespace

void AddSubscribersCommand(CLI::App& app, const GlobalOptions& global, CommandRun* run) {
  auto name = std::make_shared<std::string>();
  CLI::App* subscribers =
      app.add_subcommand("subscribers", "Print every stream, and every name with a committed position, with its lag");
  subscribers->add_option("--name", *name, "Only this name")->type_name("NAME")->check(CheckSubscriberName);
  subscribers->footer(
      "States: live; catching_up (reads history); slow (its peer takes nothing; the line below says since when);\n"
      "disconnected (a committed position and no stream: the one to worry about, its lag grows).\n\n"
      "Example:\n  refundctl subscribers --output=json");
  subscribers->callback([name, &global, run] { *run = [name, &global] { return RunSubscribers(*name, global); }; });
}

}  // namespace refund_relay
