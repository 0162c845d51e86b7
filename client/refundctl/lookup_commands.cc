// refundctl get, list and info: single questions, each with an answer and a deadline.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "CLI/Error.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/refundctl/command.h"
#include "client/refundctl/filter_flags.h"
#include "client/refundctl/flag_checks.h"
#include "client/refundctl/session.h"
#include "client/refundctl/value_text.h"
#include "refund_relay/position_text.h"
#include "refundrelay/v1/refund_event_service.pb.h"

namespace refund_relay {
namespace {

// The server's own limit of a page.
constexpr uint64_t kMaxPageSize = 1000;
constexpr char kGatewayIdPrefix[] = "rfnd_";

struct GetFlags {
  std::string event_id;
  bool omit_personal_data = false;
};

int RunGet(const GetFlags& flags, const GlobalOptions& global) {
  Session session(global);
  refundrelay::v1::GetEventRequest request;
  request.set_event_id(flags.event_id);
  request.set_omit_personal_data(flags.omit_personal_data);
  refundrelay::v1::GetEventResponse response;
  const int failed = session.Ask(*session.event_stub, &Session::EventStub::GetEvent, request, &response);
  if (failed != kExitOk) return failed;
  return session.Finish(global.output == OutputFormat::kText ? session.events.PrintFields("event", response.delivery())
                                                             : session.events.PrintEvent(response.delivery(), nullptr));
}

int RunInfo(const GlobalOptions& global) {
  Session session(global);
  refundrelay::v1::GetLogInfoResponse response;
  const int failed = session.Ask(*session.event_stub, &Session::EventStub::GetLogInfo,
                                 refundrelay::v1::GetLogInfoRequest(), &response);
  if (failed != kExitOk) return failed;
  return session.Finish(session.events.PrintFields("log_info", response, Zeros::kShown));
}

struct ListFlags {
  FilterFlags filter;
  std::string since;
  std::string until_time;
  std::string refund_id;
  std::string payment_gateway_refund_id;
  uint64_t limit = 100;
};

refundrelay::v1::ListEventsRequest RequestOf(const ListFlags& flags) {
  refundrelay::v1::ListEventsRequest request;
  *request.mutable_filter() = FilterOf(flags.filter);
  const absl::Time now = absl::Now();
  if (!flags.since.empty()) *request.mutable_stored_from() = ToTimestamp(ParseTimeOrAgo(flags.since, now).value());
  if (!flags.until_time.empty()) {
    *request.mutable_stored_until() = ToTimestamp(ParseTimeOrAgo(flags.until_time, now).value());
  }
  // People have either id at hand; the gateway's cannot be mistaken for the vendor's.
  const bool of_gateway = absl::StartsWith(flags.refund_id, kGatewayIdPrefix);
  request.set_refund_id(of_gateway ? "" : flags.refund_id);
  request.set_payment_gateway_refund_id(of_gateway ? flags.refund_id : flags.payment_gateway_refund_id);
  request.set_omit_personal_data(flags.filter.omit_personal_data);
  return request;
}

int RunList(const ListFlags& flags, const GlobalOptions& global) {
  Session session(global, Command::kList);
  refundrelay::v1::ListEventsRequest request = RequestOf(flags);
  std::optional<refundrelay::v1::Position> printed_up_to;
  uint64_t printed = 0;
  for (;;) {
    const uint64_t left = flags.limit == 0 ? kMaxPageSize : flags.limit - printed;
    request.set_page_size(static_cast<uint32_t>(std::min(left, kMaxPageSize)));
    refundrelay::v1::ListEventsResponse response;
    int exit_code = session.Ask(*session.event_stub, &Session::EventStub::ListEvents, request, &response);
    if (exit_code == kExitOk) {
      for (const auto& delivery : response.deliveries()) {
        const auto after = PositionAfter(response.position().log_id(), delivery);
        exit_code = session.Finish(session.events.PrintEvent(delivery, &after));
        if (exit_code != kExitOk) break;
        printed_up_to = after;
        ++printed;
      }
    }
    if (exit_code == kExitOk && response.has_position()) printed_up_to = response.position();
    const bool limit_reached = flags.limit != 0 && printed >= flags.limit;
    if (exit_code == kExitOk && !limit_reached && !response.next_page_token().empty()) {
      request.set_page_token(response.next_page_token());
      continue;
    }
    if (exit_code == kExitOk && limit_reached && !response.next_page_token().empty()) {
      session.notices.Notice("limit", absl::StrCat("there may be more: the limit of ", flags.limit,
                                                   " events was reached (--limit=0 lists all)"));
    }
    if (exit_code == kExitOk && printed == 0) session.notices.Notice("none", "no stored event matches");
    if (printed_up_to.has_value()) session.notices.ResumePosition(*printed_up_to);
    return exit_code;
  }
}

}  // namespace

void AddGetCommand(CLI::App& app, const GlobalOptions& global, CommandRun* run) {
  auto flags = std::make_shared<GetFlags>();
  CLI::App* get = app.add_subcommand("get", "Print one event, found by its event id, with every field");
  get->add_option("EVENT_ID", flags->event_id, "The event's id, as tail and list print it")
      ->required()
      ->check(CheckNotEmpty);
  get->add_flag("--omit-personal-data", flags->omit_personal_data, "Ask the server to leave out all personal data");
  get->footer("Example:\n  refundctl get 65e02242d03692125f1f3593-4ad38e3cfdb0ae41");
  get->callback([flags, &global, run] { *run = [flags, &global] { return RunGet(*flags, global); }; });
}

void AddListCommand(CLI::App& app, const GlobalOptions& global, CommandRun* run) {
  auto flags = std::make_shared<ListFlags>();
  CLI::App* list = app.add_subcommand("list", "Print stored events in order, and end");
  AddFilterFlags(*list, &flags->filter);
  AddOmitPersonalDataFlag(*list, &flags->filter);
  list->add_option("--since", flags->since, "Only events stored at or after this time, or since so long ago")
      ->type_name("RFC3339|2h")
      ->check(CheckTimeOrAgo);
  list->add_option("--until-time", flags->until_time, "Only events stored before this time")
      ->type_name("RFC3339|2h")
      ->check(CheckTimeOrAgo);
  auto* refund =
      list->add_option(
              "--refund", flags->refund_id,
              "Only events of this refund: its refund.id, or, if it begins with rfnd_, the payment gateway's id")
          ->type_name("ID")
          ->check(CheckNotEmpty);
  list->add_option("--payment-gateway-refund", flags->payment_gateway_refund_id,
                   "Only events of the refund that the payment gateway knows by this id, whatever it begins with")
      ->type_name("ID")
      ->check(CheckNotEmpty)
      ->excludes(refund);
  list->add_option("--limit", flags->limit, "At most so many events; 0 = all")
      ->type_name("N")
      ->capture_default_str()
      ->check(CheckCount);
  list->footer(
      "After the last event the position to go on from is told on stderr: `refundctl tail --after` takes it, and a\n"
      "stream reads long ranges faster than list does.\n\n"
      "Examples:\n  refundctl list --type=pass,subscription --since=24h --limit=20\n"
      "  refundctl list --refund=rfnd_NgauHW7CMRO717");
  list->callback([flags, &global, run] { *run = [flags, &global] { return RunList(*flags, global); }; });
}

void AddInfoCommand(CLI::App& app, const GlobalOptions& global, CommandRun* run) {
  CLI::App* info = app.add_subcommand("info", "Print which log the server has and what it holds");
  info->footer("Example:\n  refundctl info --address=127.0.0.1:50051 --output=json");
  info->callback([&global, run] { *run = [&global] { return RunInfo(global); }; });
}

}  // namespace refund_relay
