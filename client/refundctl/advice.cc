#include "client/refundctl/advice.h"

#include <array>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"

namespace refund_relay {
namespace {

// Advice by reason: the reasons are the more exact half of the contract's table.
constexpr std::array<std::pair<std::string_view, std::string_view>, 24> kAdviceByReason = {{
    {"POSITION_EXPIRED", "Retention has deleted events that were asked for."},
    {"LOG_ID_CHANGED", "The position is of another log, such as one that a backup has replaced."},
    {"POSITION_AHEAD", "The log ends before this position: it lost events, or it is another log."},
    {"POSITION_MISMATCH", "Another event stands at this position now: the history was replaced."},
    {"FILTER_WIDENED",
     "The committed position was read through a narrower filter, so older events of the wider one would be skipped. "
     "Start elsewhere, knowingly, with --from=earliest or --at-time: without --commit, or after `refundctl positions "
     "delete NAME`."},
    {"CHECKSUM", "The stored record is damaged: tell the operator, who has a backup."},
    {"GAP", "The server found that history and live events do not join and stopped. Resume, and report it."},
    {"CHAIN_BROKEN",
     "Events are missing or out of order on the stream. Resume from the position below, and report it."},
    {"SUBSCRIBER_LIMIT",
     "The server has all the streams that it allows, in all or from this address. Try again later, or raise "
     "--max_streams or --max_streams_per_peer."},
    {"DRAINING", "The server is shutting down. Try again shortly."},
    {"MAX_STREAM_AGE", "The stream reached its age limit. Resume from the last position."},
    {"POLICY_CHANGED", "The rights of this subscriber changed. Resume from the last position."},
    {"STORAGE_UNAVAILABLE", "The server's storage is down. Try again; tell the operator if it lasts."},
    {"EVENT_UNKNOWN", "No such event was ever stored. Check the id; `refundctl list` shows the ids."},
    {"EVENT_EXPIRED", "The event was stored once and has been deleted by retention."},
    {"VERSION_CHANGED",
     "Somebody else committed or deleted this position in between: look at it again (refundctl positions get NAME) and "
     "decide. Two processes must not commit under one name."},
    {"WOULD_REWIND",
     "The position lies behind the committed one. To go back knowingly, give --expected-version as `refundctl "
     "positions "
     "get NAME` shows it."},
    {"POSITION_UNKNOWN", "No position is committed under this name; `refundctl subscribers` lists the names."},
    {"QUARANTINE_UNKNOWN",
     "It was retried or discarded, or the id is wrong; `refundctl quarantine list` prints the ids."},
    {"CREDENTIALS_MISSING", "The server wants to know who you are: ask its operator for a token or a certificate."},
    {"CREDENTIALS_REJECTED", "The server does not know this token or certificate (any more). Ask its operator."},
    {"NOT_ALLOWED",
     "The server's access policy does not grant that. Its operator sees with `refundctl policy check FILE` what it "
     "grants."},
    {"OVERLOADED", "The server has more to do than it takes at once. Try again later."},
    {"OUTPUT_FAILED", "The event that could not be written was not counted: resume from the position below."},
}};

struct CommandAdvice {
  Command command;
  std::string_view reason;
  std::string_view advice;
};

constexpr std::string_view kStartAgain = "Reconcile what you booked, then start with --from=earliest or --at-time.";
constexpr std::string_view kCommitAnother =
    "Commit a position of this log, as `refundctl list` and `refundctl tail` print it.";

// What follows where the way out is a flag of the command's own.
constexpr std::array<CommandAdvice, 10> kAdviceByCommand = {{
    {Command::kTail, "POSITION_EXPIRED",
     "They are lost to this subscriber. Repair them from elsewhere, then start knowingly with --from=earliest; if the "
     "position was a committed one, `refundctl positions delete NAME` first."},
    {Command::kTail, "LOG_ID_CHANGED", kStartAgain},
    {Command::kTail, "POSITION_AHEAD", kStartAgain},
    {Command::kTail, "POSITION_MISMATCH", kStartAgain},
    {Command::kTail, "CHECKSUM", "--after=LOG_ID:SEQUENCE of the damaged record passes over it, knowingly."},
    {Command::kList, "POSITION_EXPIRED", "Leave out --since, which lists all that is left, or use a later one."},
    {Command::kList, "CHECKSUM",
     "`refundctl tail` with --after=LOG_ID:SEQUENCE of the damaged record shows what follows it."},
    {Command::kPositionsCommit, "LOG_ID_CHANGED", kCommitAnother},
    {Command::kPositionsCommit, "POSITION_AHEAD", kCommitAnother},
    {Command::kPositionsCommit, "POSITION_MISMATCH", kCommitAnother},
}};

std::string AdviceOfCommand(const RpcError& error, Command command) {
  for (const CommandAdvice& row : kAdviceByCommand) {
    if (row.command == command && row.reason == error.reason) return absl::StrCat(" ", std::string(row.advice));
  }
  return "";
}

}  // namespace

std::string WhatToDo(const RpcError& error, Command command) {
  for (const auto& [reason, advice] : kAdviceByReason) {
    if (error.reason == reason) return std::string(advice) + AdviceOfCommand(error, command);
  }
  switch (error.code) {
    case grpc::StatusCode::INVALID_ARGUMENT:
      return "Correct the request.";
    case grpc::StatusCode::UNIMPLEMENTED:
      return "This server does not know that yet: leave it out, or ask a newer server.";
    case grpc::StatusCode::UNAUTHENTICATED:
      return "The server does not know who you are. Ask its operator.";
    case grpc::StatusCode::PERMISSION_DENIED:
      return "This is not yours to read. Ask the operator of the server.";
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return "Try again later, and read faster if the server says that this subscriber is slow.";
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::CANCELLED:
      return "Check that refund-relay runs and that --address (or REFUND_RELAY_ADDRESS) is its gRPC address. If it "
             "speaks TLS, "
             "give --ca_file (or --tls), --server_name if its certificate does not name the address, and --cert_file "
             "and "
             "--key_file if it wants to see a certificate.";
    case grpc::StatusCode::OUT_OF_RANGE:
      return "What was asked for has been deleted by retention. Start knowingly from what is left.";
    case grpc::StatusCode::DATA_LOSS:
      return "Stored data is damaged: tell the operator of the server, who has a backup.";
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::UNKNOWN:
      return "Try again, and report it: this should not happen.";
    default:
      return "";
  }
}

}  // namespace refund_relay
