// refundctl tail: prints events as they are stored, over as many streams as it takes.
#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "CLI/Error.hpp"
#include "CLI/Validators.hpp"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/refundctl/advice.h"
#include "client/refundctl/command.h"
#include "client/refundctl/event_printer.h"
#include "client/refundctl/exit_code.h"
#include "client/refundctl/filter_flags.h"
#include "client/refundctl/flag_checks.h"
#include "client/refundctl/notice_printer.h"
#include "client/refundctl/signal_watcher.h"
#include "client/refundctl/value_text.h"
#include "refund_relay/connection.h"
#include "refund_relay/grpc_event_stream.h"
#include "refund_relay/position_keeper.h"
#include "refund_relay/position_text.h"
#include "refund_relay/subscriber.h"

namespace refund_relay {
namespace {

struct TailFlags {
  std::string name;
  FilterFlags filter;
  std::string from;
  std::string after;
  std::string at_time;
  bool until_caught_up = false;
  std::string until;
  uint64_t max_events = 0;
  bool no_follow = false;
  bool commit = false;
  uint64_t commit_every = CommitPolicy().every_events;
  std::string heartbeat_interval;
};

std::string DurationText(absl::Duration duration) {
  return absl::FormatDuration(absl::Trunc(duration, absl::Milliseconds(1)));
}

// Tells what the subscriber meets beside the events.
class TailObserver final : public SubscriberObserver {
 public:
  // `start` is the flag that gives the start; empty if it is the committed position that was asked for.
  TailObserver(NoticePrinter& notices, std::string start) : notices_(notices), start_(std::move(start)) {}

  void OnKept(const refundrelay::v1::Position& position) override {
    if (start_.empty()) return;
    notices_.Notice("kept", absl::StrCat("going on at the committed position, not at ", start_), position);
  }
  void OnStarted(const refundrelay::v1::Started& started, bool resumed) override {
    notices_.Notice("started",
                    absl::StrCat(resumed ? "resumed" : "started", " after sequence ", started.position().sequence(),
                                 " of log ", started.log_id(), ", which ends at ", started.last_sequence()),
                    started.position());
  }
  void OnCaughtUp(const refundrelay::v1::Position& position) override {
    notices_.Notice("caught_up", "caught up: what follows is live", position);
  }
  void OnFellBehind(const refundrelay::v1::Position& position) override {
    notices_.Notice("fell_behind", "fell behind: reading history again, nothing is lost", position);
  }
  void OnGoingAway(const refundrelay::v1::GoingAway& going_away) override {
    notices_.Notice("going_away", absl::StrCat("the server is going away: ", going_away.reason()),
                    going_away.position());
  }
  void OnReconnect(const RpcError& error, absl::Duration wait,
                   const std::optional<refundrelay::v1::Position>& position) override {
    // What should never happen is told in full, the rest in a line.
    if (ReactionTo(error) != Reaction::kResume) notices_.Error(error);
    notices_.Notice("reconnect",
                    absl::StrCat("the stream ended (", RpcErrorText(error), "); trying again in ", DurationText(wait)),
                    position);
  }

  void OnCommitFailed(const RpcError& error, absl::Duration wait) override {
    notices_.Notice("commit_failed", absl::StrCat("the position could not be committed (", RpcErrorText(error),
                                                  "); trying again in ", DurationText(wait)));
  }

 private:
  NoticePrinter& notices_;
  const std::string start_;
};

// The flag that gives the start, where that is not the committed position.
std::string StartFlag(const TailFlags& flags) {
  if (!flags.after.empty()) return "--after";
  if (!flags.at_time.empty()) return "--at-time";
  return flags.from == "committed" ? "" : "--from";
}

// The flags were checked by the parser, so every text parses; what depends on the time of day is told as an error.
refundrelay::v1::SubscribeRequest RequestOf(const TailFlags& flags) {
  refundrelay::v1::SubscribeRequest request;
  request.set_subscriber_name(flags.name);
  *request.mutable_filter() = FilterOf(flags.filter);
  request.set_omit_personal_data(flags.filter.omit_personal_data);
  if (flags.from == "earliest") request.set_start_from(refundrelay::v1::START_FROM_EARLIEST);
  if (flags.from == "latest") request.set_start_from(refundrelay::v1::START_FROM_LATEST);
  if (flags.from == "committed") request.set_start_from(refundrelay::v1::START_FROM_COMMITTED);
  if (!flags.after.empty()) *request.mutable_after() = ParsePosition(flags.after).value();
  if (!flags.at_time.empty()) {
    *request.mutable_at_time() = ToTimestamp(ParseTimeOrAgo(flags.at_time, absl::Now()).value());
  }
  request.set_stop_when_caught_up(flags.until_caught_up);
  if (!flags.until.empty()) *request.mutable_until() = ParsePosition(flags.until).value();
  if (!flags.heartbeat_interval.empty()) {
    const absl::Duration interval = ParsePositiveDuration(flags.heartbeat_interval).value();
    const int64_t seconds = absl::ToInt64Seconds(interval);
    request.mutable_heartbeat_interval()->set_seconds(seconds);
    request.mutable_heartbeat_interval()->set_nanos(
        static_cast<int32_t>(absl::ToInt64Nanoseconds(interval - absl::Seconds(seconds))));
  }
  return request;
}

// Where a user goes on; not if going on there would fail again, or skip what a narrower filter left out.
void TellPosition(const SubscriberResult& result, NoticePrinter& notices) {
  if (result.error.reason == "FILTER_WIDENED") return;
  for (const char* reason : {"POSITION_EXPIRED", "LOG_ID_CHANGED", "POSITION_AHEAD", "POSITION_MISMATCH"}) {
    if (result.error.reason != reason) continue;
    notices.Notice("stopped_at", "nothing can be read after this position any more", result.position);
    return;
  }
  notices.ResumePosition(*result.position);
}

int RunTail(const TailFlags& flags, const GlobalOptions& global) {
  SignalWatcher signals;  // before gRPC starts its threads
  EventPrinter events(std::cout, global.output);
  NoticePrinter notices(std::cerr, global.output, Command::kTail);
  const auto connection = MakeConnection(global.address, global.channel).value();
  SubscriberOptions options;
  options.request = RequestOf(flags);
  options.keep_reconnecting = !flags.no_follow;
  options.max_events = flags.max_events;
  options.connect_timeout = global.timeout;
  options.dead_stream.start_timeout = global.timeout;
  options.handler.max_attempts = 1;  // an output that is closed stays closed
  options.commit.every_events = flags.commit_every;
  SubscriberParts parts;
  parts.streams = MakeGrpcEventStreamFactory(connection);
  parts.observer = std::make_shared<TailObserver>(notices, StartFlag(flags));
  parts.handler = [&events](const refundrelay::v1::Delivery& delivery, const refundrelay::v1::Position& after) {
    return events.PrintEvent(delivery, &after);
  };
  if (flags.commit) parts.keeper = MakeServerPositionKeeper(connection, flags.name, global.timeout);
  Subscriber subscriber(std::move(options), std::move(parts));
  signals.Start([&subscriber] { subscriber.Stop(); });

  SubscriberResult result = subscriber.Run();
  signals.End();  // what its callback uses goes before it does
  int exit_code = kExitOk;
  if (result.end == SubscriberResult::End::kHandlerFailed) result.error = OutputFailed(result.error.message);
  if (!result.ok()) exit_code = ReportError(notices, result.error);
  if (result.end == SubscriberResult::End::kStopped) exit_code = kExitSignalBase + signals.signal_number();
  if (result.committed_position.has_value()) {
    notices.Notice("committed", absl::StrCat("the position committed under the name ", flags.name),
                   result.committed_position);
  }
  if (result.position.has_value()) TellPosition(result, notices);
  return exit_code;
}

}  // namespace

void AddTailCommand(CLI::App& app, const GlobalOptions& global, CommandRun* run) {
  auto flags = std::make_shared<TailFlags>();
  CLI::App* tail = app.add_subcommand("tail", "Print events in the order in which they were stored, and follow");
  tail->add_option("--name", flags->name, "Who subscribes: lower-case letters, digits and hyphens, at most 63")
      ->required()
      ->type_name("NAME")
      ->check(CheckSubscriberName);
  AddFilterFlags(*tail, &flags->filter);
  AddOmitPersonalDataFlag(*tail, &flags->filter);
  tail->add_option(
          "--from", flags->from,
          "Start at the earliest event, after the latest, or at the position committed under --name (none yet = "
          "earliest)")
      ->type_name("earliest|latest|committed")
      ->check(CLI::IsMember({"earliest", "latest", "committed"}).description(""));
  tail->add_option("--after", flags->after, "Start after this position: the way to resume")
      ->type_name("LOG_ID:SEQUENCE[:HASH]")
      ->check(CheckPosition);
  tail->add_option("--at-time", flags->at_time, "Start at the first event stored at or after this time, or so long ago")
      ->type_name("RFC3339|2h")
      ->check(CheckTimeOrAgo);
  tail->add_flag("--until-caught-up", flags->until_caught_up, "End once the history has been printed");
  tail->add_option("--until", flags->until, "End once everything up to and including this position has been printed")
      ->type_name("LOG_ID:SEQUENCE[:HASH]")
      ->check(CheckPosition);
  tail->add_option("--max-events", flags->max_events, "End after so many events; 0 = no such end")
      ->type_name("N")
      ->check(CheckCount);
  tail->add_flag("--no-follow", flags->no_follow, "Do not reconnect: the end of the first stream is the end");
  auto* commit =
      tail->add_flag("--commit", flags->commit,
                     "Keep the position at the server under --name as events are printed, and go on after it the next "
                     "time; the start is for the first time only then");
  tail->add_option("--commit-every", flags->commit_every,
                   "Commit after so many events, and once a second; 0 = only then")
      ->type_name("N")
      ->capture_default_str()
      ->check(CheckCount)
      ->needs(commit);
  tail->add_option("--heartbeat-interval", flags->heartbeat_interval,
                   "Ask for a sign of life at least so often, 1s to 30s; a stream without any for three times as long "
                   "is dead (default 15s)")
      ->type_name("DURATION")
      ->check(CheckDuration);
  tail->footer(
      "Events go to stdout; what happens, and the position to resume from, to stderr. With --output=json each event\n"
      "is the proto JSON of refundrelay.v1.Delivery on one line, with \"kind\":\"event\" and its \"position\".\n"
      "A start must be given: --from, --after or --at-time. After a broken stream tail resumes behind the last event\n"
      "printed; where that would skip events, it ends and says so. --timeout bounds the first connection only.\n\n"
      "Examples:\n"
      "  refundctl tail --name=books --type=pass --from=earliest\n"
      "  refundctl tail --name=books --at-time=2h --until-caught-up --output=json\n"
      "  refundctl tail --name=books --from=committed --commit\n"
      "  refundctl tail --name=books --after=0b8f3c52-6f0e-4a57-9d1c-2f6f5b0f8e11:1042:5f0c4e1b2a3d4c5e\n"
      "                              (the position as tail printed it)");
  tail->callback([flags, &global, run] {
    const int starts = !flags->from.empty() + !flags->after.empty() + !flags->at_time.empty();
    if (starts != 1) {
      throw CLI::ValidationError(
          "tail",
          "give exactly one start: --from=earliest|latest|committed, --after=POSITION or --at-time=TIME. There "
          "is no default, because any default would lose or repeat refunds for somebody");
    }
    *run = [flags, &global] { return RunTail(*flags, global); };
  });
}

}  // namespace refund_relay
