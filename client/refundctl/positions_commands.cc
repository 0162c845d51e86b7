// refundctl positions get, commit and delete: the positions that the server keeps under subscribers' names.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "CLI/Error.hpp"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/refundctl/filter_flags.h"
#include "client/refundctl/flag_checks.h"
#include "client/refundctl/session.h"
#include "refund_relay/position_text.h"

namespace refund_relay {
namespace {

struct PositionsFlags {
  std::string name;
  std::string position;
  std::string expected_version;  // Empty = any.
  FilterFlags filter;
  bool all_events = false;
};

// The flag was checked by the parser.
std::optional<uint64_t> ExpectedVersion(const PositionsFlags& flags) {
  uint64_t version = 0;
  if (flags.expected_version.empty() || !absl::SimpleAtoi(flags.expected_version, &version)) return std::nullopt;
  return version;
}

int GetPosition(Session& session, const std::string& name, refundrelay::v1::GetCommittedPositionResponse* response) {
  refundrelay::v1::GetCommittedPositionRequest request;
  request.set_subscriber_name(name);
  return session.Ask(*session.event_stub, &Session::EventStub::GetCommittedPosition, request, response);
}

int RunGet(const PositionsFlags& flags, const GlobalOptions& global) {
  Session session(global);
  refundrelay::v1::GetCommittedPositionResponse response;
  const int failed = GetPosition(session, flags.name, &response);
  if (failed != kExitOk) return failed;
  if (!response.has_position()) {
    if (global.output == OutputFormat::kJson) {
      return session.Finish(session.events.PrintMessage("committed_position", response, "", nullptr));
    }
    session.notices.Notice("none", absl::StrCat("no position is committed under the name ", flags.name));
    return kExitOk;
  }
  return session.Finish(
      session.events.PrintMessage("committed_position", response,
                                  absl::StrCat("position  ", FormatPosition(response.position()), "\nversion   ",
                                               response.version(), "\nfilter    ", FilterText(response.filter())),
                                  &response.position()));
}

int RunCommit(const PositionsFlags& flags, const GlobalOptions& global) {
  Session session(global, Command::kPositionsCommit);
  refundrelay::v1::CommitPositionRequest request;
  request.set_subscriber_name(flags.name);
  *request.mutable_position() = ParsePosition(flags.position).value();
  *request.mutable_filter() = FilterOf(flags.filter);
  if (const auto version = ExpectedVersion(flags); version.has_value()) request.set_expected_version(*version);
  if (request.filter().ByteSizeLong() == 0 && !flags.all_events) {
    // An empty filter would claim that everything was handled; what is there says what really was.
    refundrelay::v1::GetCommittedPositionResponse before;
    const int failed = GetPosition(session, flags.name, &before);
    if (failed != kExitOk) return failed;
    *request.mutable_filter() = before.filter();
  }
  refundrelay::v1::CommitPositionResponse response;
  const int failed = session.Ask(*session.event_stub, &Session::EventStub::CommitPosition, request, &response);
  if (failed != kExitOk) return failed;
  return session.Finish(
      session.events.PrintMessage("committed", response,
                                  absl::StrCat("committed ", FormatPosition(request.position()), " as version ",
                                               response.version(), ", filter ", FilterText(request.filter())),
                                  &request.position()));
}

int RunDelete(const PositionsFlags& flags, const GlobalOptions& global) {
  Session session(global);
  refundrelay::v1::DeleteCommittedPositionRequest request;
  request.set_subscriber_name(flags.name);
  if (const auto version = ExpectedVersion(flags); version.has_value()) request.set_expected_version(*version);
  refundrelay::v1::DeleteCommittedPositionResponse response;
  const int failed = session.Ask(*session.admin_stub, &Session::AdminStub::DeleteCommittedPosition, request, &response);
  if (failed != kExitOk) return failed;
  return session.Finish(session.events.PrintMessage(
      "deleted", response, absl::StrCat("deleted ", FormatPosition(response.position())), &response.position()));
}

CLI::App* AddCommand(CLI::App& positions, const char* word, const char* what, PositionsFlags* flags) {
  CLI::App* command = positions.add_subcommand(word, what);
  command->add_option("NAME", flags->name, "The subscriber's name")->required()->check(CheckSubscriberName);
  return command;
}

void AddExpectedVersion(CLI::App& command, PositionsFlags* flags, const char* what) {
  command.add_option("--expected-version", flags->expected_version, what)->type_name("N")->check(CheckCount);
}

}  // namespace

void AddPositionsCommands(CLI::App& app, const GlobalOptions& global, CommandRun* run) {
  auto flags = std::make_shared<PositionsFlags>();
  CLI::App* positions =
      app.add_subcommand("positions", "Show, set or forget the position kept under a subscriber's name");
  positions->require_subcommand(0, 1);  // none is told below, in words of ours
  positions->callback([positions] {
    if (positions->get_subcommands().empty()) throw CLI::ValidationError("positions", "choose get, commit or delete");
  });
  positions->footer(
      "Examples:\n"
      "  refundctl positions get books\n"
      "  refundctl positions commit books --position=LOG_ID:SEQUENCE:HASH --expected-version=7\n"
      "  refundctl positions delete books");

  CLI::App* get = AddCommand(*positions, "get", "Print the position, its version and its filter", flags.get());
  get->footer("Example:\n  refundctl positions get books");
  get->callback([flags, &global, run] { *run = [flags, &global] { return RunGet(*flags, global); }; });

  CLI::App* commit =
      AddCommand(*positions, "commit", "Set the position; forward only, unless the version is given", flags.get());
  commit->add_option("--position", flags->position, "Everything up to here was handled")
      ->required()
      ->type_name("LOG_ID:SEQUENCE[:HASH]")
      ->check(CheckPosition);
  AddExpectedVersion(
      *commit, flags.get(),
      "Only if this is the version in force, as `positions get` shows it; 0 = only if there is none. May "
      "go back then");
  AddFilterFlags(*commit, &flags->filter);
  commit->add_flag("--all-events", flags->all_events,
                   "Everything up to there was handled, whatever its type or client");
  commit->footer(
      "The filter says which events were handled. Without --type, --event-name, --client-id and --all-events the one\n"
      "that is committed stays; where there is none, it is all events.\n\n"
      "Example:\n"
      "  refundctl positions commit books --position=0b8f3c52-6f0e-4a57-9d1c-2f6f5b0f8e11:1042:5f0c4e1b2a3d4c5e");
  commit->callback([flags, &global, run] {
    const bool filtered = FilterOf(flags->filter).ByteSizeLong() != 0;
    if (filtered && flags->all_events) {
      throw CLI::ValidationError("positions commit", "--all-events excludes --type, --event-name and --client-id");
    }
    *run = [flags, &global] { return RunCommit(*flags, global); };
  });

  CLI::App* remove =
      AddCommand(*positions, "delete", "Forget the position: for a subscriber that is gone for good", flags.get());
  AddExpectedVersion(*remove, flags.get(), "Only if this is the version in force, as `positions get` shows it");
  remove->footer(
      "What was deleted is printed: `positions commit` sets it again.\n\n"
      "Example:\n  refundctl positions delete books --expected-version=7");
  remove->callback([flags, &global, run] { *run = [flags, &global] { return RunDelete(*flags, global); }; });
}

}  // namespace refund_relay
