// refundctl quarantine list, show, retry and discard: webhooks that were authentic and could not become events.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "CLI/Error.hpp"
#include "CLI/Validators.hpp"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/printable.h"
#include "client/refundctl/flag_checks.h"
#include "client/refundctl/session.h"
#include "client/refundctl/value_text.h"

namespace refund_relay {
namespace {

using refundrelay::v1::QuarantinedWebhook;
using refundrelay::v1::RetryResult;

constexpr uint32_t kPageSize = 1000;
// The server's limit of ids in one request.
constexpr size_t kMaxIds = 1000;

struct QuarantineFlags {
  std::string reason;
  std::vector<std::string> ids;
  bool body = false;
  bool all = false;
};

std::string ReasonText(const QuarantinedWebhook& webhook) {
  return EnumText(refundrelay::v1::QuarantineReason_Name(webhook.reason()), "QUARANTINE_REASON_", webhook.reason());
}

std::string Counted(uint64_t count, std::string_view word) {
  return absl::StrCat(count, " ", std::string(word), count == 1 ? "" : "s");
}

std::string WebhookLine(const QuarantinedWebhook& webhook) {
  std::string line = absl::StrFormat("%s  %s  %-18s  %s  %s", Printable(webhook.quarantine_id()),
                                     FormatTimeMillis(webhook.received_at()), ReasonText(webhook),
                                     Counted(webhook.times_received(), "time"), Counted(webhook.body_bytes(), "byte"));
  if (!webhook.event_id().empty()) absl::StrAppend(&line, "  event ", Printable(webhook.event_id()));
  return absl::StrCat(line, "  ", Printable(webhook.detail()));
}

// Fields without a value are left out: a body that was not asked for is not an empty one.
int Print(Session& session, const QuarantinedWebhook& webhook, const std::string& text) {
  if (session.events.format() == OutputFormat::kJson) {
    return session.Finish(session.events.PrintFields("quarantined_webhook", webhook));
  }
  return session.Finish(session.events.PrintMessage("quarantined_webhook", webhook, text, nullptr));
}

// As it came, but for what would move a terminal's cursor.
std::string BodyText(const std::string& body) {
  const std::vector<std::string> lines = absl::StrSplit(body, '\n');
  return absl::StrJoin(lines, "\n", [](std::string* out, const std::string& line) { out->append(Printable(line)); });
}

int RunList(const QuarantineFlags& flags, const GlobalOptions& global) {
  Session session(global);
  refundrelay::v1::ListQuarantinedWebhooksRequest request;
  if (!flags.reason.empty()) {
    refundrelay::v1::QuarantineReason reason;
    if (refundrelay::v1::QuarantineReason_Parse(absl::StrCat("QUARANTINE_REASON_", absl::AsciiStrToUpper(flags.reason)),
                                                &reason)) {
      request.set_reason(reason);
    }
  }
  request.set_page_size(kPageSize);
  uint64_t count = 0;
  do {
    refundrelay::v1::ListQuarantinedWebhooksResponse response;
    int failed = session.Ask(*session.admin_stub, &Session::AdminStub::ListQuarantinedWebhooks, request, &response);
    if (failed != kExitOk) return failed;
    for (const auto& webhook : response.webhooks()) {
      ++count;
      failed = Print(session, webhook, WebhookLine(webhook));
      if (failed != kExitOk) return failed;
    }
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  if (count == 0) {
    session.notices.Notice("none", flags.reason.empty()
                                       ? "the quarantine is empty"
                                       : absl::StrCat("no webhook is in quarantine with the reason ", flags.reason));
  }
  return kExitOk;
}

int RunShow(const QuarantineFlags& flags, const GlobalOptions& global) {
  Session session(global);
  refundrelay::v1::ListQuarantinedWebhooksRequest request;
  request.add_quarantine_ids(flags.ids.front());
  request.set_include_body(flags.body);
  refundrelay::v1::ListQuarantinedWebhooksResponse response;
  const int failed = session.Ask(*session.admin_stub, &Session::AdminStub::ListQuarantinedWebhooks, request, &response);
  if (failed != kExitOk) return failed;
  if (response.webhooks().empty()) {
    return ReportError(
        session.notices,
        MakeRpcError(grpc::StatusCode::NOT_FOUND, absl::StrCat("no webhook ", flags.ids.front(), " is in quarantine"),
                     "QUARANTINE_UNKNOWN"));
  }
  QuarantinedWebhook webhook = response.webhooks(0);
  const std::string body = BodyText(std::string(absl::StripSuffix(webhook.body(), "\n")));
  if (session.events.format() == OutputFormat::kText) webhook.clear_body();  // it is shown apart
  const std::string fields = FieldLines(webhook);
  return Print(session, webhook,
               flags.body ? absl::StrCat(fields, "body:\n", body) : std::string(absl::StripSuffix(fields, "\n")));
}

std::string RetryLine(const RetryResult& result) {
  std::string line = absl::StrFormat(
      "%s  %s", Printable(result.quarantine_id()),
      EnumText(refundrelay::v1::RetryOutcome_Name(result.outcome()), "RETRY_OUTCOME_", result.outcome()));
  if (!result.event_id().empty()) {
    absl::StrAppend(&line, "  event ", Printable(result.event_id()), "  sequence ", result.sequence());
  }
  if (!result.detail().empty()) absl::StrAppend(&line, "  ", Printable(result.detail()));
  return line;
}

// One line for each; `counts` has how many of each outcome.
int PrintRetried(Session& session, const refundrelay::v1::RetryQuarantinedWebhooksResponse& response,
                 std::map<std::string, int>* counts, bool* stayed) {
  for (const auto& result : response.results()) {
    const int failed = session.Finish(session.events.PrintMessage("retry_result", result, RetryLine(result), nullptr));
    if (failed != kExitOk) return failed;
    ++(*counts)[EnumText(refundrelay::v1::RetryOutcome_Name(result.outcome()), "RETRY_OUTCOME_", result.outcome())];
    *stayed |= result.outcome() != refundrelay::v1::RETRY_OUTCOME_APPENDED &&
               result.outcome() != refundrelay::v1::RETRY_OUTCOME_DUPLICATE;
  }
  return kExitOk;
}

int RunRetry(const QuarantineFlags& flags, const GlobalOptions& global) {
  Session session(global);
  std::map<std::string, int> counts;
  bool stayed = false;
  size_t asked = 0;
  do {
    refundrelay::v1::RetryQuarantinedWebhooksRequest request;
    request.set_all(flags.all);
    for (size_t end = std::min(asked + kMaxIds, flags.ids.size()); asked < end; ++asked) {
      request.add_quarantine_ids(flags.ids[asked]);
    }
    refundrelay::v1::RetryQuarantinedWebhooksResponse response;
    int failed = session.Ask(*session.admin_stub, &Session::AdminStub::RetryQuarantinedWebhooks, request, &response);
    if (failed == kExitOk) failed = PrintRetried(session, response, &counts, &stayed);
    if (failed != kExitOk) return failed;
  } while (asked < flags.ids.size());
  std::vector<std::string> parts;
  for (const auto& [outcome, count] : counts) parts.push_back(absl::StrCat(count, " ", outcome));
  session.notices.Notice("retried", parts.empty() ? "the quarantine is empty" : absl::StrJoin(parts, ", "));
  return stayed ? kExitRefused : kExitOk;
}

int RunDiscard(const QuarantineFlags& flags, const GlobalOptions& global) {
  Session session(global);
  bool unknown = false;
  for (size_t asked = 0; asked < flags.ids.size();) {
    refundrelay::v1::DiscardQuarantinedWebhooksRequest request;
    for (size_t end = std::min(asked + kMaxIds, flags.ids.size()); asked < end; ++asked) {
      request.add_quarantine_ids(flags.ids[asked]);
    }
    refundrelay::v1::DiscardQuarantinedWebhooksResponse response;
    int failed = session.Ask(*session.admin_stub, &Session::AdminStub::DiscardQuarantinedWebhooks, request, &response);
    if (failed != kExitOk) return failed;
    for (const auto& result : response.results()) {
      unknown |= !result.discarded();
      const std::string line =
          absl::StrCat(Printable(result.quarantine_id()), "  ", result.discarded() ? "discarded" : "unknown");
      failed = session.Finish(session.events.PrintMessage("discard_result", result, line, nullptr));
      if (failed != kExitOk) return failed;
    }
  }
  return unknown ? kExitRefused : kExitOk;
}

}  // namespace

void AddQuarantineCommands(CLI::App& app, const GlobalOptions& global, CommandRun* run) {
  auto flags = std::make_shared<QuarantineFlags>();
  CLI::App* quarantine =
      app.add_subcommand("quarantine", "Look at, retry or discard webhooks that could not become events");
  quarantine->require_subcommand(0, 1);  // none is told below, in words of ours
  quarantine->callback([quarantine] {
    if (quarantine->get_subcommands().empty()) {
      throw CLI::ValidationError("quarantine", "choose list, show, retry or discard");
    }
  });
  quarantine->footer(
      "Examples:\n"
      "  refundctl quarantine list --reason=conflict\n"
      "  refundctl quarantine retry --all");

  CLI::App* list = quarantine->add_subcommand("list", "Print what is in quarantine, oldest first");
  list->add_option("--reason", flags->reason, "Only with this reason")
      ->type_name("not_json|not_a_refund_event|conflict")
      ->check(CLI::IsMember({"not_json", "not_a_refund_event", "conflict"}).description(""));
  list->footer("Free of personal data.\n\nExample:\n  refundctl quarantine list --reason=not_json");
  list->callback([flags, &global, run] { *run = [flags, &global] { return RunList(*flags, global); }; });

  CLI::App* show = quarantine->add_subcommand("show", "Print all that is known of one webhook");
  show->add_option("ID", flags->ids, "Its quarantine id, as list prints it")
      ->required()
      ->expected(1)
      ->check(CheckNotEmpty);
  show->add_flag("--body", flags->body, "The raw body as well: personal data");
  show->footer(
      "As JSON the body is base64, byte for byte; as text control characters are escaped.\n\n"
      "Example:\n  refundctl quarantine show q-13a9d56206b2b53b --body");
  show->callback([flags, &global, run] { *run = [flags, &global] { return RunShow(*flags, global); }; });

  CLI::App* retry =
      quarantine->add_subcommand("retry", "Translate webhooks again; what can be read now becomes an event");
  retry->add_option("ID", flags->ids, "Quarantine ids, as list prints them")->check(CheckNotEmpty);
  retry->add_flag("--all", flags->all, "Everything in quarantine");
  retry->footer(
      "Events are appended in the order in which their webhooks came. Exit code 1 if any webhook stays; safe to "
      "repeat.\n"
      "Many webhooks take a while: see --timeout.\n\n"
      "Example:\n  refundctl quarantine retry --all --timeout=2m");
  retry->callback([flags, &global, run] {
    if (flags->all != flags->ids.empty()) {
      throw CLI::ValidationError("quarantine retry", "give either ids, as `quarantine list` prints them, or --all");
    }
    *run = [flags, &global] { return RunRetry(*flags, global); };
  });

  CLI::App* discard = quarantine->add_subcommand("discard", "Delete webhooks for good, without asking again");
  discard->add_option("ID", flags->ids, "Quarantine ids, as list prints them; there is no --all")->check(CheckNotEmpty);
  discard->footer(
      "A discarded webhook is a refund notice that nobody will ever get: look at it first (show --body).\n\n"
      "Example:\n  refundctl quarantine discard q-13a9d56206b2b53b q-5f0c4e1b2a3d4c5e");
  discard->callback([flags, &global, run] {
    if (flags->ids.empty()) {
      throw CLI::ValidationError("quarantine discard",
                                 "give quarantine ids, as `quarantine list` prints them; there is no --all");
    }
    *run = [flags, &global] { return RunDiscard(*flags, global); };
  });
}

}  // namespace refund_relay
